"""Rules: 300 of them on 5,000 changes of tickets, against the same changes where there is no rule."""

import random
import time
from typing import Any

from django.db import connection

from bench.measure import Results, seconds, statements
from bench.place import Sizes
from helpdesk.accounts.models import Role, User
from helpdesk.customers import dispatch
from helpdesk.customers.models import EventDelivery
from tickets.models import Rule, RuleKind, RuleMeeting, RuleRun, Ticket
from tickets.rules import keeping, meet_pending, why
from tickets.rules.keeping import Wording

RULES = 300
CHANGES = 5000
BUDGET = 2.5  # times the changes without rules
STATEMENTS = 1.0  # a change, of all that the rules ask


def measure(results: Results, size: Sizes) -> None:
    """One in a hundred of the changes meets a rule that fires; each is made by the verb that a page uses, and dispatched."""
    by = User.objects.create_user("bench-rules@x.example", None, name="Bench", role=Role.MANAGER)
    number = CHANGES // 10 if results.fast else CHANGES
    first, second = _tickets(number), _tickets(number, after=number)
    EventDelivery.objects.all().delete()
    plain = time.process_time()
    without = seconds(lambda: (_change(first, by), _meet()))
    plain = time.process_time() - plain
    dice = random.Random(3)
    for n in range(RULES):
        leaves: list[dict[str, Any]] = [
            {"field": "priority", "op": "changed_to", "value": "high"},
            {"field": "tags", "op": "any_of", "value": [f"bench-{n}", f"bench-{dice.randint(0, 99)}"]},
            {"field": "opened", "op": "older_than", "value": {"hours": 1}},
        ]
        if n == 0:
            leaves[1]["value"] = ["bench-fires"]
        tree = {"all": dice.sample(leaves, 3)}
        does = {"add_tags": ["fired"]}
        keeping.switch(keeping.save(Rule(kind=RuleKind.UPDATE), Wording(f"Bench {n}", tree, does), by=by), True, by=by)
    fires = {ticket.pk for ticket in second[::100]}
    Ticket.objects.filter(pk__in=fires).update(tags=["bench-fires"])
    cpu = time.process_time()
    with statements() as asked:
        changed = seconds(lambda: _change(second, by))
    of_changes = len(asked)
    with statements() as asked:
        met = seconds(_meet)
    cpu = time.process_time() - cpu
    done, runs = RuleMeeting.objects.filter(state="done").count(), RuleRun.objects.count()
    assert done >= number and runs == len(fires), (done, runs)
    rows = RuleMeeting.objects.filter(began=None).order_by("id")
    for sampled in why.explained([*rows.filter(ticket__in=fires)[:5], *rows.exclude(ticket__in=fires)[:5]]):
        _right(sampled, sampled.meeting.ticket_id in fires)
    results.note(
        f"{RULES} rules judged {done:,} changes and fired {runs} times in {met:.1f} s; {of_changes / number:.1f} statements a "
        f"change without them, {len(asked) / number:.2f} more with them; "
        f"{cpu / number * 1e3:.2f} ms of processor a change in all, {cpu / plain:.2f} times that where there is no rule"
    )
    results.at_most(f"{RULES} rules on {number:,} ticket changes", changed + met, "s", limit=without, budget=BUDGET)
    results.count("statements that the rules add to a change", len(asked) / number, "statements", budget=STATEMENTS)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tickets_rulemeeting, tickets_rulerun, tickets_rule, tickets_ruleversion, tickets_ruletimer")


def _right(met: why.Met, fires: bool) -> None:
    """Of a sampled change: by the first rule's tag it fires, and no other has that tag; all else holds of every change."""
    assert len(met.verdicts) == RULES, len(met.verdicts)
    for n, verdict in enumerate(met.verdicts):
        assert verdict.fired == verdict.reason.holds == (fires and n == 0), (met.meeting.pk, n, verdict.reason)
        assert verdict.fired or ["tags" in each.words for each in verdict.because] == [True], (n, verdict.because)


def _tickets(number: int, after: int = 0) -> list[Ticket]:
    """So many open tickets of normal priority."""
    pks = list(Ticket.objects.order_by("pk").values_list("pk", flat=True)[after : after + number])
    assert len(pks) == number, "too few tickets"
    Ticket.objects.filter(pk__in=pks).update(status="open", priority="normal", tags=[])
    return list(Ticket.objects.filter(pk__in=pks).order_by("pk"))


def _change(tickets: list[Ticket], by: User) -> None:
    for ticket in tickets:
        ticket.prioritise("high", by=by)


def _meet() -> None:
    """Hand over what is owed and let it meet the rules, until nothing moves any more."""
    while dispatch.run_once() + meet_pending():
        pass
