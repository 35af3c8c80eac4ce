"""One meaning of a condition about tickets: SQL, Python, a sentence, and the line of the search box that says it."""

import json
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from helpdesk.accounts.models import Team, User
from helpdesk.customers import identity
from helpdesk.customers.models import Company, FieldDefinition
from helpdesk.knowledge.models import Topic
from helpdesk.lib import conditions
from helpdesk.lib.conditions import Asked
from helpdesk.lib.conditions.query import Inexpressible, QueryError, to_query, to_tree
from helpdesk.lib.dates import now
from tests.lib.things import depth
from tests.tickets import asked
from tickets.models import Channel, Clock, Message, Policy, Priority, Status, Ticket
from tickets.models.terms import clean_tags

pytestmark = pytest.mark.django_db
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
QUIET = list(HealthCheck)
ago = asked.ago
tickets = st.fixed_dictionaries({
    "subject": asked.texts, "status": st.sampled_from(Status.values), "priority": st.sampled_from(Priority.values),
    "channel": st.sampled_from(Channel.values), "language": st.sampled_from(["", "de", "EN"]),
    "tags": st.lists(asked.said, max_size=3).map(clean_tags), "assignee": st.integers(0, 2), "team": st.integers(0, 2),
    "topic": st.integers(0, 1), "outgoing_id": st.sampled_from([None, 7]), "waiting_since": ago, "solved_at": ago,
    "due_at": st.one_of(ago, asked.ahead), "breached_at": ago, "escalated_at": ago, "escalations": st.integers(0, 3),
    "attributes": asked.attributes, "first_replied_at": ago, "last_customer_message_at": ago, "closed_at": ago,
})  # fmt: skip
messages = st.lists(st.tuples(asked.texts, st.sampled_from(Message.Kind.values), st.integers(0, 2), ago), max_size=3)


@pytest.fixture
def cast(ana: User, mia: User, support: Any) -> dict[str, Any]:
    billing = Team.objects.create(name="Second, level", slug="second")
    ana.teams.add(billing)
    ben = identity.customer_for_address("ben@carter.example", name="Ben Carter")
    cleo = identity.customer_for_address("cleo@marchetti.example")
    for subject, (key, (type, made, _holds, _old)) in product(FieldDefinition.Subject.values, asked.FIELDS.items()):
        FieldDefinition.objects.create(subject=subject, key=key, label=f"{subject} {key}", type=type, **made)
    policies = [Policy.objects.create(name=name, position=n) for n, name in enumerate(("Quick", "Slow", "Former"))]
    policies[2].put_away()
    found: dict[str, Any] = {"people": [None, ana, mia], "teams": [None, support.team, billing],
            "topics": [None, Topic.objects.create(name="Post")],
            "customers": [ben, cleo], "mailboxes": [None, support],
            "policies": [None, *policies]}  # fmt: skip
    found["picks"] = asked.picks(personal=True)  # made once: there is much to choose from
    found["lines"] = asked.groups(asked.leaves(personal=True), 5).filter(lambda tree: depth(tree) <= 7)
    return found


def dated(told: dict[str, Any], at: datetime) -> dict[str, Any]:
    """What was told as so long ago, at its time."""
    return {key: at - value if isinstance(value, timedelta) else value for key, value in told.items()}


def fill(people: tuple[Any, Any], rows: list[Any], cast: dict[str, Any]) -> list[Ticket]:
    at, before = now(), None
    for who, told in zip(cast["customers"], people, strict=True):
        for key, value in told.items():
            setattr(who, key, Company.objects.create(**value) if key == "company" and value else value)
        who.save()
    for n, (told, said, clocks) in enumerate(rows):
        who, row = cast["customers"][n % 2], dated(told, at)
        row |= {"assignee": cast["people"][told["assignee"]], "team": cast["teams"][told["team"]]}
        row |= {"topic": cast["topics"][told["topic"]], "requester": who, "mailbox": cast["mailboxes"][n % 2]}
        row |= {"address": who.addresses.first() if n % 3 else None, "follow_up_of": before if n % 2 else None}
        before = Ticket.objects.create(**row, number=n + 1, opened_at=at - timedelta(hours=n), last_message_at=at)
        for text, kind, author, when in said:
            Message.objects.create(
                ticket=before, text=text, kind=kind, user=cast["people"][author], at=at - (when or timedelta()), address=text[:9]
            )
        for clock in clocks:
            Clock.objects.create(ticket=before, **dated(clock, at) | {"policy": cast["policies"][clock["policy"]]})
    return list(Ticket.objects.all())


@settings(max_examples=45, deadline=None, suppress_health_check=QUIET, phases=PHASES)
@given(
    people=st.tuples(asked.customers, asked.customers),
    rows=st.lists(st.tuples(tickets, messages, asked.clocks), min_size=3, max_size=5),
    data=st.data(),
)
def test_sql_and_python_pick_the_same_tickets(
    people: tuple[Any, Any], rows: list[Any], data: st.DataObject, cast: dict[str, Any]
):
    picks = data.draw(cast["picks"])
    at, ana = now(), cast["people"][1]
    with transaction.atomic():
        everything = fill(people, rows, cast)
        for tree in picks:
            stored = conditions.clean(tree, "ticket", personal=True)
            said = conditions.words(stored, "ticket")
            in_sql = set(Ticket.objects.filter(conditions.to_q(stored, "ticket", at, reader=ana)).values_list("pk", flat=True))
            in_python = {t.pk for t in everything if conditions.matches(stored, "ticket", t, at, reader=ana)}
            assert in_sql == in_python, said
            refused = Ticket.objects.filter(conditions.to_q({"not": stored}, "ticket", at, few=True, reader=ana))
            assert refused.count() == len(everything) - len(in_python), said
            assert kept_by_rules(tree, everything, at) in (None, in_python), said
        transaction.set_rollback(True)


def kept_by_rules(tree: Any, everything: list[Ticket], at: datetime) -> set[int] | None:
    """For which it holds by the facts that rules keep, as read and as kept in JSON; None where no rule can ask it."""
    try:
        one = Asked(conditions.clean(tree, "ticket"), "ticket")
    except conditions.ConditionError:
        return None
    fitting = set()
    for ticket in everything:
        known = conditions.facts([one], ticket, at)
        kept = conditions.thawed(json.loads(json.dumps(conditions.frozen(known))), one)
        assert one.holds(known, at, {}) == one.holds(kept, at, {})
        fitting |= {ticket.pk} if one.holds(known, at, {}) else set()
    return fitting


def plain(tree: Any) -> Any:
    """A tree without groups of one, and "without the words" as "not with them": what a line need not tell apart."""
    if "field" in tree:
        alike = {"has_no_words": "has_words"}.get(tree["op"])
        return {"not": {**tree, "op": alike}} if alike else tree
    if "not" in tree:
        return {"not": plain(tree["not"])}
    ((word, parts),) = tree.items()
    return plain(parts[0]) if len(parts) == 1 else {word: [plain(part) for part in parts]}


def unsayable(tree: Any) -> bool:
    """What a line has no words for: a quotation mark, nothing at all, and words beside other words."""
    if "field" in tree:
        return '"' in str(tree.get("value")) and tree["op"] not in ("has_words", "has_no_words")
    parts = [tree["not"]] if "not" in tree else tree.get("all", tree.get("any"))
    beside = sum(part.get("op") == "has_words" for part in parts) > 1
    return not parts or beside or any(map(unsayable, parts))


@pytest.mark.parametrize("word", [";1", "@ben", "1", '"a b"', "#7"])
def test_a_line_without_a_word_says_so_whatever_the_word_begins_with(word: str):
    tree = conditions.clean({"field": "text", "op": "has_no_words", "value": word}, "ticket")
    assert plain(to_tree(to_query(tree, "ticket"), "ticket")) == plain(tree)


@settings(max_examples=150, deadline=None, suppress_health_check=QUIET)
@given(data=st.data())
def test_a_tree_said_as_a_line_is_the_same_tree(data: st.DataObject, cast: dict[str, Any]):
    tree = conditions.clean(data.draw(cast["lines"]), "ticket", personal=True)
    try:
        line = to_query(tree, "ticket")
    except Inexpressible:
        assert unsayable(tree)
        return
    if len(line) <= 500:
        assert plain(to_tree(line, "ticket")) == plain(tree), line


def test_what_other_rows_say_only_the_editor_asks():
    for tree in ({"field": "message", "op": "has"}, {"all": [{"any": [{"all": []}]}]}):
        with pytest.raises(Inexpressible):
            to_query(tree, "ticket")


PIECES = st.sampled_from([
    "is:", "has:", "no:", "status:", "open", "-", "(", ")", " OR ", '"', " ", "tag:", ",", "+", "opened:", "<", ">", "3d", "..",
    "number:", "=", "*", "__", "requester__user__password:", "attribute.", "customer.", "#5", "assignee:", "me", "\0", "\n", "é",
    "2026-11-23", "-ago", "last-", "from:", "\\", "'", "%", "message:", "campaign:", ":", "pk:", "id:", "9" * 30, "\ud800",
])  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=QUIET)
@example(text="is:\ud800")
@example(text="\ud800:1 x\0y")
@given(text=st.one_of(st.lists(PIECES, max_size=14).map("".join), st.text(max_size=60)))
def test_whatever_is_typed_is_a_tree_or_a_word_about_it(text: str, cast: dict[str, Any]):
    try:
        tree = to_tree(text, "ticket")
    except QueryError as refused:
        assert 5 < len(str(refused)) < 800
        return
    assert conditions.clean(tree, "ticket", personal=True) == tree
    with transaction.atomic():
        list(Ticket.objects.filter(conditions.to_q(tree, "ticket", now(), reader=cast["people"][1]))[:1])
