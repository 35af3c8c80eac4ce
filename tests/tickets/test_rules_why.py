"""Many rules on many changes: few queries, and every answer to "why" is the one that a second way of asking gives."""

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from helpdesk.accounts.models import Team
from helpdesk.customers.models import Event
from helpdesk.customers.tasks import dispatch
from helpdesk.lib import conditions, dates
from tickets import changes, intake, spam
from tickets.models import Rule, RuleMeeting, RuleRun, RuleVersion, Ticket
from tickets.rules import judge, keeping, why
from tickets.rules.keeping import Wording
from tickets.tasks import meet_rules

pytestmark = pytest.mark.django_db
PRIORITIES, TAGS = ["low", "normal", "high", "urgent"], ["vip", "billing", "export", "phone"]


def asks(dice, teams):
    """A condition such as people write: about the ticket, about what changed, in groups."""
    leaves = [
        {"field": "priority", "op": dice.choice(["is", "is_not", "was", "changed_to"]), "value": dice.choice(PRIORITIES)},
        {"field": "tags", "op": dice.choice(["any_of", "none_of", "added", "had"]), "value": [dice.choice(TAGS)]},
        {"field": "team", "op": dice.choice(["is", "changed_to", "was"]), "value": dice.choice(teams).pk},
        {"field": "team", "op": dice.choice(["changed", "not_changed"])},
        {"field": "open", "op": "is", "value": True},
        {"field": "subject", "op": "contains", "value": dice.choice("aeiou")},
        {"field": "opened", "op": "older_than", "value": {"hours": dice.randint(1, 9)}},
    ]
    parts = dice.sample(leaves, dice.randint(1, 3))
    if dice.random() < 0.3:
        parts.append({"not": {"any": dice.sample(leaves, 2)}})
    return {dice.choice(["all", "any"]): parts}


@pytest.fixture
def world(ben, support, mia, ana):
    """Two dozen rules on changes, some of which change something, and a dozen tickets that people changed."""
    dice = random.Random(8)
    teams = [Team.objects.create(name=name, slug=name.lower()) for name in ("Night", "Billing", "Phone")]
    for n in range(24):
        does = {"add_tags": [f"by{n}"]} if n % 6 else {"priority": dice.choice(PRIORITIES)}
        made = keeping.save(Rule(kind="update"), Wording(f"Rule {n}", asks(dice, teams), does), by=mia)
        keeping.switch(made, True, by=mia)
    with dates.moved(by=-timedelta(hours=5)):
        words = [intake.Words("Hello") for _ in range(12)]
        tickets = [intake.open_ticket(ben, f"Ticket {dice.choice('abcdeiou')}", each, channel="api") for each in words]
    for ticket in tickets:
        wanted = {"priority": dice.choice(PRIORITIES), "team": dice.choice(teams), "tags": dice.sample(TAGS, 2)}
        changes.change(ticket, {name: wanted[name] for name in dice.sample(list(wanted), dice.randint(1, 3))}, by=ana)
    return dice


def test_ten_sampled_changes_are_explained_and_right(world):
    dispatch()
    assert 10 <= RuleMeeting.objects.count() == judge.meet_pending()
    Ticket.objects.update(priority="low", tags=[], subject="all is otherwise by now")  # why is asked of what was
    keeping.switch(Rule.objects.first(), False, by=RuleVersion.objects.first().by)
    sampled = world.sample(list(RuleMeeting.objects.filter(state="done", began=None)), 10)
    fired = silent = 0
    for met in why.explained(sampled):
        by_event = Event.objects.filter(payload__change=met.meeting.key.split(":")[1]).latest("id").payload["changes"]
        assert by_event == met.meeting.changes and len(met.verdicts) == 24
        for verdict in met.verdicts:
            assert verdict.fired == RuleRun.objects.filter(meeting=met.meeting, version=verdict.version).exists()
            assert verdict.reason.holds == verdict.fired  # asked again, it says what it did
            assert truth(verdict.reason) == verdict.fired  # and its parts add up to it
            assert verdict.fired == (not verdict.because)
            fired, silent = fired + verdict.fired, silent + (not verdict.fired)
    assert fired > 30 and silent > 30


def test_what_fired_is_what_a_judge_says_who_knows_nothing_of_the_language(world):
    """Ten changes replayed from the timeline: each rule by hand, in order, and what it does to the ticket before the next."""
    dispatch()
    judge.meet_pending()
    first = {"priority": "normal", "team": None, "tags": []}
    fired = 0
    for met in why.explained(world.sample(list(RuleMeeting.objects.filter(began=None)), 10)):
        by_event = Event.objects.filter(payload__change=met.meeting.key.split(":")[1]).latest("id").payload["changes"]
        was = first | {name: pair[0] for name, pair in by_event.items() if name in first}
        seen = first | {name: pair[1] for name, pair in by_event.items() if name in first}
        for verdict in met.verdicts:
            expected = by_hand(verdict.version.conditions, was, seen, met.meeting.ticket.subject)
            assert verdict.fired == expected, (verdict.version.conditions, was, seen)
            if expected:
                does, fired = verdict.version.actions, fired + 1
                seen = seen | does | {"tags": [*seen["tags"], *does.get("add_tags", [])]}
    assert 30 < fired < 210


def by_hand(tree, was, seen, subject):
    """A condition of `asks` without the language: every ticket is open and came in five hours ago."""
    for join, both in (("all", all), ("any", any)):
        if join in tree:
            return both([by_hand(part, was, seen, subject) for part in tree[join]])
    if "not" in tree:
        return not by_hand(tree["not"], was, seen, subject)
    value, (old, new) = tree.get("value"), (was.get(tree["field"]), seen.get(tree["field"]))
    match tree["field"], tree["op"]:
        case "open", _:
            return True
        case "opened", _:
            return value["hours"] <= 5
        case "subject", _:
            return value in subject.lower()
        case "tags", op:
            sets = {"any_of": set(new), "none_of": set(new), "added": set(new) - set(old), "had": set(old)}
            return bool(sets[op] & set(value)) != (op == "none_of")
        case _, op:
            said = {"is": new == value, "is_not": new != value, "was": old == value, "changed_to": old != value == new}
            return (said | {"changed": old != new, "not_changed": old == new})[op]


def truth(reason):
    """What the leaves of a reason say, put together by hand."""
    if not reason.parts:
        return reason.holds
    parts = [truth(part) for part in reason.parts]
    return {"all": all(parts), "any": any(parts), "not": not parts[0]}[reason.join]


def test_the_first_rule_judges_as_the_language_itself_does(world):
    """Another way to the same answer: the language's own `matches` on the ticket and what it was before."""
    dispatch()
    first = Rule.objects.select_related("version").earliest("position")
    tickets = {row.pk: row for row in Ticket.objects.all()}
    expected = set()
    for row in RuleMeeting.objects.all():
        old = {name: pair[0] for name, pair in row.changes.items()}
        if conditions.matches(first.version.conditions, "ticket", tickets[row.ticket_id], dates.now(), old=old):
            expected.add(row.pk)
    judge.meet_pending()
    fired = RuleRun.objects.filter(rule=first, meeting__depth=0).values_list("meeting", flat=True)
    assert set(fired) == expected != set()


def test_what_fires_nothing_costs_the_same_few_queries_whatever_the_number(world, mia):
    for rule in Rule.objects.all():
        version = rule.version
        version.conditions = {"all": [version.conditions, {"field": "status", "op": "is", "value": "hold"}]}
        version.save()
    dispatch()
    number = RuleMeeting.objects.count()
    with CaptureQueriesContext(connection) as asked:
        assert judge.meet_pending() == number >= 10
    assert len(asked) <= 8, [query["sql"][:90] for query in asked]
    assert not RuleRun.objects.exists() and RuleMeeting.objects.filter(state="done").count() == number


def test_what_stands_beside_a_ticket_is_fetched_for_all_at_once(world, mia):
    Rule.objects.update(is_enabled=False)
    for field, op, value in (("address", "contains", "nobody"), ("suggestion", "is", "waiting"), ("company", "is", "Acme")):
        tree = {"field": field, "op": op, "value": value}
        made = keeping.save(Rule(kind="update"), Wording(field, tree, {"priority": "high"}), by=mia)
        keeping.switch(made, True, by=mia)
    dispatch()
    with CaptureQueriesContext(connection) as asked:
        assert judge.meet_pending() >= 10
    assert len(asked) <= 8, [query["sql"][:90] for query in asked]


def test_what_became_spam_before_its_turn_meets_no_rule(world, mia, monkeypatch):
    dispatch()
    row = RuleMeeting.objects.filter(ticket__in=Ticket.objects.all()).earliest("id")
    loaded = judge.loaded

    def marked_meanwhile():
        spam.mark(Ticket.objects.get(pk=row.ticket_id), by=mia)
        return loaded()

    monkeypatch.setattr(judge, "loaded", marked_meanwhile)
    Rule.objects.exclude(pk=Rule.objects.earliest("id").pk).update(is_enabled=False)
    RuleVersion.objects.update(conditions={"all": []})
    judge.meet_pending()
    row.refresh_from_db()
    assert row.stopped == "Spam meets no rules." and not row.runs.exists() and RuleRun.objects.exists()


def test_a_change_that_cannot_be_judged_holds_up_no_other(world, monkeypatch):
    Rule.objects.filter(position__gt=4).update(is_enabled=False)
    dispatch()
    poisoned = RuleMeeting.objects.order_by("id")[3].pk
    fire = judge._fire

    def break_one(pk, rules):
        if pk == poisoned:
            raise ZeroDivisionError("a mistake of ours")
        fire(pk, rules)

    monkeypatch.setattr(judge, "_fire", break_one)
    monkeypatch.setattr(judge.Live, "fires", lambda *args: True)
    for _ in range(6):
        meet_rules()
    row = RuleMeeting.objects.get(pk=poisoned)
    assert row.state == "failed" and "a mistake of ours" in row.stopped
    assert RuleMeeting.objects.filter(state="pending").count() == 0
