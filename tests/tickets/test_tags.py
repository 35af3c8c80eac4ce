"""A tag is one word, however it is written: in a form, by a rule, in the search box, in a condition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.lib import conditions
from helpdesk.lib.dates import now
from tests.tickets.test_rules import leaf
from tickets.models import RuleRun, Ticket
from tickets.models.terms import TAG, spelled

pytestmark = pytest.mark.django_db


def test_a_tag_is_one_however_it_is_written(browser, ana, mia, ticket, rule, drain):
    late = rule("update", {"all": [leaf("tags", "added", ["VIP "])]}, add_tags=["Late"], remove_tags=["CAFE\u0301"])
    drain()
    said = {"all": "1", "priority": "normal", "status": "new", "tags": " VIP,vip, Cafe\u0301 ,"}
    answer = browser(ana).post(f"/tickets/{ticket.number}/change/", said)
    assert answer.status_code < 400
    assert Ticket.objects.get().tags == ["café", "vip"]
    drain()
    assert Ticket.objects.get().tags == ["late", "vip"]
    assert [done["words"] for done in RuleRun.objects.get().results] == ["add the tags late", "take away the tags café"]
    assert "tags got vip" in browser(mia).get(f"/rules/{late.pk}/").content.decode()
    for line in ("tag:VIP", "tag:Vip+LATE", "-tag:CAFÉ tag:vip"):
        assert list(browser(ana).get("/inbox/", {"q": line}).context["page"].rows) == [ticket], line


@given(st.text(max_size=2 * TAG))
def test_a_spelling_is_its_own(written):
    kept = spelled(written)
    assert spelled(kept) == kept == kept.strip() and len(kept) <= TAG
    assert spelled(f"  {kept.upper().lower()} ") == spelled(kept.upper())


def test_what_was_asked_before_is_asked_of_what_is_kept(ticket, ana):
    ticket.tag(["Straße", "OFF  site"], by=ana)
    for tree in (leaf("tags", "all_of", ["STRASSE"]), leaf("tags", "all_of", ["straße", "Off Site"])):
        found = Ticket.objects.filter(conditions.to_q(tree, "ticket", now())).exists()
        assert found == conditions.matches(tree, "ticket", ticket, now()) == (tree["value"] != ["STRASSE"])
