"""The search box of the inbox and of the API: words and fields in one line, mistakes in words beside it."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from helpdesk.accounts.models import ApiToken, Reach
from helpdesk.customers.models import Customer
from helpdesk.lib.conditions.query import QueryError, to_query, to_tree
from helpdesk.mail.models import Mailbox
from tickets import intake
from tickets.models import Status, Ticket
from tickets.search import find

pytestmark = pytest.mark.django_db


@pytest.fixture
def opened(support: Mailbox) -> Callable[..., Ticket]:
    def make(who: Customer, subject: str, text: str = "Please help.", **more: Any) -> Ticket:
        words = intake.Words(text, address=who.addresses.get().shown)
        return intake.open_ticket(who, subject, words, channel="mail", mailbox=support, address=who.addresses.get(), **more)

    return make


def leaf(field: str, op: str, *value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, **({"value": value[0]} if value else {})}


OPEN, SOLVED = leaf("open", "is", True), leaf("status", "is", "solved")


LINES: list[tuple[str, Any]] = [
    ("", {"all": []}),
    ("is:open", {"all": [OPEN]}),
    ("is:open -is:waiting", {"all": [OPEN, leaf("waiting", "is_not", True)]}),
    ("open:no has:files", {"all": [leaf("open", "is", False), leaf("files", "is", True)]}),
    ("status:open,new", {"all": [leaf("status", "any_of", ["open", "new"])]}),
    ("-status:solved", {"all": [leaf("status", "is_not", "solved")]}),
    ("is:solved OR is:urgent", {"any": [SOLVED, leaf("priority", "is", "urgent")]}),
    ("is:open (is:solved OR -(tag:a tag:b))",
     {"all": [OPEN, {"any": [SOLVED, {"not": {"all": [leaf("tags", "any_of", ["a"]), leaf("tags", "any_of", ["b"])]}}]}]}),
    ("is:open is:solved OR is:new", {"all": [OPEN, {"any": [SOLVED, leaf("status", "is", "new")]}]}),
    ("tag:vip -tag:x,y tag:a+b", {"all": [leaf("tags", "any_of", ["vip"]), leaf("tags", "none_of", ["x", "y"]),
                                          leaf("tags", "all_of", ["a", "b"])]}),
    ('tag:"very late, sorry"', {"all": [leaf("tags", "any_of", ["very late, sorry"])]}),
    ("priority:Urgent", {"all": [leaf("priority", "is", "urgent")]}),
    ("assignee:me", {"all": [leaf("assignee", "is", "me")]}),
    ("no:assignee has:topic", {"all": [leaf("assignee", "is_not_set"), leaf("topic", "is_set")]}),
    ("is:unassigned -is:assigned", {"all": [leaf("assignee", "is_not_set"), {"not": leaf("assignee", "is_set")}]}),
    ("opened:>3d opened:<2w", {"all": [leaf("opened", "older_than", {"days": 3}),
                                       leaf("opened", "within_last", {"weeks": 2})]}),
    ("opened:<2h-ahead opened:next-5m", {"all": [leaf("opened", "sooner_than", {"hours": 2}),
                                                 leaf("opened", "within_next", {"minutes": 5})]}),
    ("before:2026-10-01 after:2026-09-01", {"all": [leaf("opened", "before", "2026-10-01"),
                                                    leaf("opened", "after", "2026-09-01")]}),
    ("opened:2026-10-01 solved:>2026-10-01T10:00Z", {"all": [leaf("opened", "on", "2026-10-01"),
                                                             leaf("solved", "after", "2026-10-01T10:00:00Z")]}),
    ("subject:refund subject:=Refund subject:re* subject:*fund", {"all": [
        leaf("subject", "contains", "refund"), leaf("subject", "is", "Refund"), leaf("subject", "starts_with", "re"),
        leaf("subject", "ends_with", "fund")]}),
    ("from:ben@ -from:cleo", {"all": [leaf("address", "contains", "ben@"), leaf("address", "not_contains", "cleo")]}),
    ("is:breached due:<2h due:>3d", {"all": [leaf("breached", "is", True), leaf("due", "sooner_than", {"hours": 2}),
                                            leaf("due", "later_than", {"days": 3})]}),
    ("is:escalated escalations:>1", {"all": [leaf("escalated", "is", True), leaf("escalations", "gt", 1)]}),
    ("number:>5 number:1..9", {"all": [leaf("number", "gt", 5), leaf("number", "between", [1, 9])]}),
    ('late "the parcel" is:open REFUND', {"all": [leaf("text", "has_words", 'late "the parcel"'), OPEN,
                                                 leaf("text", "has_words", "refund")]}),
    ("parcel OR refund -sorry", {"all": [{"any": [leaf("text", "has_words", "parcel"), leaf("text", "has_words", "refund")]},
                                        leaf("text", "has_no_words", "sorry")]}),
    ('e-mail "is:open"', {"all": [leaf("text", "has_words", 'e-mail "is:open"')]}),
]  # fmt: skip


def test_a_line_of_text_is_a_tree():
    for text, tree in LINES:
        assert to_tree(text, "ticket") == tree, text
        assert to_tree(to_query(tree, "ticket"), "ticket") == tree, text


MISTAKES = [
    ("asignee:me", "There is no “asignee:” to search by. Did you mean “assignee”?"),
    ("requester__user__password:x", "There is no “requester__user__password:” to search by."),
    ("pk:5", "There is no “pk:”"),
    ("https://example.com/x", "put them in quotes"),
    ("is:opne", "“opne” cannot be asked with “is:”"),
    ("is:opne", "Did you mean “open”?"),
    ("status:opn", "There is no “opn” to choose. Did you mean “open”?"),
    ("priority:fast", "There is low, normal, high or urgent."),
    ("assignee:a", "“a” may be "),
    ("campaign:x", "not one of the choices"),
    ("opened:soon", "such as <3d, or a date such as 2026-11-23"),
    ("opened:<2026-13-40", "Enter a date"),
    ("opened:<0d", "at least 1"),
    ("number:x", "number: Enter a number"),
    ("tag:", "right behind the colon"),
    ("tag:a,b+c", "either commas or plus signs"),
    ("status:open+new", "one value at a time"),
    ("open:maybe", "yes or no"),
    ("message:x", "in the editor of conditions alone"),
    ("(is:open", "without its “)”"),
    ("is:open)", "without its “(”"),
    ("()", "nothing between"),
    ("OR is:open", "OR stands between"),
    ("is:open OR", "OR stands between"),
    ("NOT tag:vip", "Put a minus before what"),
    ("AND tag:vip", "AND stands between"),
    ("is:open OR AND tag:vip", "AND stands between"),
    ("...", "no word to search for"),
    ("(" * 30 + "a" + ")" * 30, "at most 8 deep"),
    ("x " * 300, "at most 500 characters"),
    (" ".join(f"w{n}" for n in range(40)), "at most 16 words"),
]


def test_a_mistake_is_told_in_words(ana, omar):
    omar.name = "Anselm Otto"
    omar.save()
    for text, told in MISTAKES:
        with pytest.raises(QueryError) as refused:
            to_tree(text, "ticket")
        assert told in str(refused.value), text


def test_words_that_other_search_boxes_know_mean_here_what_they_mean_there():
    assert to_tree("is:open AND tag:vip", "ticket") == to_tree("is:open tag:vip", "ticket")
    assert to_tree("is:overdue", "ticket") == to_tree("is:late", "ticket")
    assert to_tree("created:<3d", "ticket") == to_tree("opened:<3d", "ticket")


def test_nobody_is_me_where_nobody_reads():
    with pytest.raises(QueryError, match="nobody does here"):
        to_tree("assignee:me", "ticket", personal=False)


def test_the_box_finds_by_fields_and_words(browser, ana, ben, cleo, opened):
    first, other = opened(ben, "Where is my parcel?", tags=["vip"]), opened(cleo, "Invoice of a parcel")
    first.assign(ana, by=ana)
    other.solve(by=ana)

    def found(line: str) -> set[Ticket]:
        page = browser(ana).get("/inbox/waiting/", {"q": line})
        assert page.status_code == 200 and not page.context["misread"], page.context["misread"]
        return set(page.context["page"].rows)

    assert found("parcel") == {first, other}
    assert found("parcel is:solved") == {other}
    assert found("assignee:me") == found("assignee:ana") == found("tag:vip is:open") == {first}
    assert found("-assignee:me") == found("no:tag") == found("from:cleo") == {other}
    assert found("is:solved OR tag:vip -invoice") == {first}
    assert found(f"#{first.number}") == {first}
    assert found('"my parcel"') == {first} and found('"parcel my"') == set()
    assert found("opened:<1h") == {first, other} and found("opened:>1h") == set()


def test_a_mistake_stands_beside_the_box_and_what_was_typed_stays(browser, ana):
    page = browser(ana).get("/inbox/", {"q": 'asignee:"<b>me"'})
    text = unescape(page.content.decode())
    assert page.status_code == 200 and "Did you mean “assignee”?" in text
    assert 'aria-describedby="find-error"' in text and 'id="find-error"' in text
    assert "&quot;&lt;b&gt;me&quot;" in page.content.decode() and not page.context["page"].rows
    assert "Mend what you search for" in text and "fewer words" not in text


def test_spam_is_found_where_it_is_asked_for(browser, ana, ben, opened):
    ticket = opened(ben, "Cheap watches")
    Ticket.objects.filter(pk=ticket.pk).update(status=Status.SPAM)
    assert not find(ana, "watches") and not find(ana, "tag:x OR subject:watches")
    for line in ("is:spam", "status:spam,new watches", str(ticket.number)):
        assert find(ana, line).get() == ticket, line


def test_what_is_out_of_reach_is_not_found(ana, ben, opened):
    opened(ben, "Where is my parcel?")
    ana.reach = Reach.ASSIGNED
    ana.save()
    for line in ("parcel", "is:open", "is:open OR is:solved", "-tag:x", "parcel is:open", "-is:solved -nothing"):
        assert not find(ana, line), line


def test_the_api_searches_alike_and_refuses_alike(client, ben, opened):
    _token, text = ApiToken.objects.issue("shop", ["tickets:read"])
    first, second = opened(ben, "Where is my parcel?", tags=["vip"]), opened(ben, "An invoice")

    def get(line: str) -> Any:
        return client.get("/api/v1/tickets", {"q": line}, headers={"Authorization": f"Bearer {text}"})

    def listed(line: str) -> list[int]:
        return [row["number"] for row in get(line).json()["results"]]

    assert listed("tag:vip") == [first.number] and listed("-tag:vip is:open") == [second.number]
    for line, told in (("asignee:x", "Did you mean"), ("team__slug:x", "There is no"), ("assignee:me", "nobody does here")):
        answer = get(line)
        assert answer.status_code == 400 and told in answer.json()["q"][0]
