"""The same form twice is one effect, for every route that takes one: what two identical requests leave behind is exactly
what one leaves. A route that nobody here knows how to use fails the test."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.forms import default_token_generator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils.http import int_to_base36

from helpdesk.accounts import feeds
from helpdesk.demo.people import PASSWORD
from helpdesk.lib import dates
from tests.gauntlet.forms import filled
from tests.gauntlet.world import World, apart, blotted, difference, picture, routes, undone
from tests.mail.posted import mailgun_signature
from tickets.forms import nonce

pytestmark = pytest.mark.django_db
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
NEW_PASSWORD = "ink and paper and string"
Said = dict[str, Any]
Rows = dict[str, list[str]]
REPLACED = {"mfa_generate_recovery_codes"}  # the second set takes the place of the first, and the page shows the last


class Case:
    """One use of one route. ``page`` is the route with its form; ``said`` what a person adds; ``ready`` comes before."""

    def __init__(
        self,
        route: str,
        page: str = "",
        said: Said | Callable[[World], Said] | None = None,
        *,
        method: str = "POST",
        writes: bool = True,
        where: Callable[[World], Said] = lambda w: {},
        page_where: Callable[[World], Said] = lambda w: {},
        ready: Callable[[World, Client], Said] = lambda w, b: {},
        stranger: bool = False,
    ) -> None:
        self.route, self.page, self.said, self.method, self.writes = route, page, said or {}, method, writes
        self.where, self.page_where, self.ready, self.stranger = where, page_where, ready, stranger

    def __str__(self) -> str:
        return f"{self.method} {self.route} {json.dumps(self.said, default=str) if isinstance(self.said, dict) else ''}"

    def effect(self, world: World, times: int) -> tuple[list[int], Rows, Rows]:
        """The answers, what differs afterwards, and what of it is the same each time; all of it is undone."""
        cache.clear()  # what was counted against too many tries
        api = self.route.startswith("api-")
        with undone(numbers=True):
            browser = world.browser(None if api or self.stranger else world.admin)
            extra = self.ready(world, browser)
            address = extra.pop("address", "") or world.url(self.route, **self.where(world))
            said = self.said(world) if callable(self.said) else self.said
            if self.page:
                data = filled(browser, world.url(self.page, **self.page_where(world)), address, said)
            else:
                data = {**said}
            data |= extra
            before = picture()
            answers = []
            for _ in range(times):
                if api:
                    headers = {"authorization": f"Bearer {world.bearer}", "Idempotency-Key": "one"}
                    answer = browser.generic(self.method, address, json.dumps(data), "application/json", headers=headers)
                else:
                    answer = browser.post(address, data)
                answers.append(answer.status_code)
            before, after = apart(before, picture())
            return answers, difference(before, after), difference(blotted(before), blotted(after))


def proved(world: World, browser: Client) -> Said:
    """They just gave their password again, as changes of a second factor ask."""
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return {}


def with_totp(world: World, browser: Client) -> Said:
    TOTP.activate(world.admin, generate_totp_secret())
    return proved(world, browser)


def totp(world: World, browser: Client) -> Said:
    proved(world, browser)
    browser.get(reverse("mfa_activate_totp"))
    counter = next(iter(yield_hotp_counters_from_time()))
    return {"code": format_hotp_value(hotp_value(browser.session["mfa.totp.secret"], counter))}


def invited(world: World, browser: Client) -> Said:
    """The link of an invitation was followed."""
    key = f"{int_to_base36(world.agent.pk)}", default_token_generator.make_token(world.agent)
    return {"address": browser.get(reverse("account_reset_password_from_key", args=key)).headers["Location"]}


def stopped(world: World, browser: Client) -> Said:
    """Campaigns were switched off before."""
    browser.post(world.url("mail-switch"), {"name": "campaigns"})
    return {}


def solved(world: World, browser: Client) -> Said:
    """Solved a moment ago, which was a slip."""
    browser.post(world.url("ticket-change", **live(world)), {"status": "solved"})
    return {}


def owned(world: World, browser: Client) -> Said:
    """The agent has something that could be handed back."""
    browser.post(world.url("ticket-change", **live(world)), {"status": "open", "assignee": str(world.agent.pk)})
    return {}


def spam(world: World, browser: Client) -> Said:
    """Taken for spam a moment ago, which was a slip."""
    browser.post(world.url("ticket-change"), {"status": "spam"})
    return {}


def shown_a_while_ago(world: World, browser: Client) -> Said:
    with dates.moved(by=-timedelta(seconds=5)):
        return {"nonce": nonce()}


def tried(verb: str, row: str) -> Case:
    return Case("outgoing-decide", where=lambda w: {"pk": getattr(w, row).pk, "verb": verb})


def live(w: World) -> Said:
    return {"number": w.live_ticket.number}


NO_QUESTIONS = {"q-TOTAL_FORMS": "0", "q-INITIAL_FORMS": "0", "priority": "normal", "is_open": "on"}
EVENT = {"kind": "trial_ended", "source": "shop", "id": "e-1", "customer": {"external_id": "cus_asa"}}
CAMPAIGN = {
    "action": "save", "name": "New words", "trigger_kind": "order_shipped", "m-0-subject": "On its way", "m-0-body": "It comes.",
}  # fmt: skip

RULES = json.dumps(
    {"twofold": "rules", "rules": [{"name": "A", "list": "create", "conditions": {}, "actions": {"priority": "low"}}]}
)

CASES = [
    Case("account_login", "account_login", {"login": "omar@nordwind.example", "password": PASSWORD}, stranger=True),
    Case("account_logout", writes=False),
    Case("account_signup", said={"email": "stranger@x.example", "password1": NEW_PASSWORD}, writes=False, stranger=True),
    Case("account_reauthenticate", said={"password": PASSWORD}, writes=False),
    Case("account_email", said={"action_add": "", "email": "second@nordwind.example"}),
    Case(
        "account_change_password",
        said={"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    ),
    Case("account_set_password", said={"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}, writes=False),  # they have one
    Case("account_reset_password", "account_reset_password", {"email": "ana@nordwind.example"}, stranger=True),
    Case("account_confirm_login_code", said={"code": "123456"}, writes=False),  # codes by mail are switched off
    Case("account_confirm_email", stranger=True),
    Case(
        "account_reset_password_from_key",
        said={"password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
        ready=invited,
        stranger=True,
    ),
    Case("mfa_authenticate", said={"code": "123456"}, writes=False),
    Case("mfa_reauthenticate", said={"code": "123456"}, writes=False),
    Case("mfa_activate_totp", ready=totp),
    Case("mfa_deactivate_totp", ready=with_totp),
    Case("mfa_generate_recovery_codes", ready=with_totp),
    Case("person-add", "person-add", {"name": "New", "email": "new@nordwind.example"}),
    Case("person", "person", {"name": "Ana K."}),
    Case("person-shut-out", "person"),
    Case("person-let-in", "person", page_where=lambda w: {"pk": w.out.pk}),
    Case("person-invite", "person"),
    Case("team-add", "team-add", {"name": "Night"}),
    Case("team", "team", {"name": "Money"}),
    Case("calendar-add", "calendar-add", {"name": "Night", "zone": "Asia/Tokyo", "day_0": "22:00-06:00"}),
    Case("calendar", "calendar", {"name": "Office", "day_5": "10-14"}),
    Case("calendar-remove", "calendar-remove"),
    Case("holiday-add", "calendar", {"day": "2027-05-28", "name": "Outing"}),
    Case("holidays-country", "calendar", {"country": "CH", "first_year": "2026"}),
    Case("holidays-feed", "calendar", {"url": "https://calendars.example/holidays.ics"}),
    Case("holidays-remove", "calendar"),
    Case("holiday", "calendar"),
    Case("incident-add", "incident-add", lambda w: {"title": "Cards fail", "topic": w.topic.pk, "action": "save"}),
    Case("incident", "incident", {"words": "It is the bank.", "action": "save"}),
    Case("incident-resolve", "incident"),
    Case("incident-reopen", "incidents"),
    Case("policy-add", "policy-add", {"name": "Premium", "normal_first_reply": "1 h", "action": "save"}),
    Case("policy", "policy", {"name": "At the door", "action": "save"}),
    Case("policy-move", "policies", {"to": "2"}),
    Case("policy-switch", "policies", {"on": "0"}),
    Case("policy-remove", "policy-remove"),
    Case("policy-restore", "policy", page_where=lambda w: {"pk": w.former_policy.pk}),
    Case("team", "team", {"mode": "round_robin", "cap": "5"}),
    Case("skill-add", "skill-add", {"name": "German", "spoken": "de"}),
    Case("skill", "skill", {"name": "Tax law", "tagged": "refund"}),
    Case("who-person", "who-person", {"first": "2190-01-01", "last": "2190-01-20", "note": "Sea"}),
    Case("own-zone", "who-person", {"zone": "Europe/Lisbon"}, page_where=lambda w: {"pk": w.admin.pk}),
    Case("absence-remove", "who-person"),
    Case("presence", "who-person"),
    Case("presence", said={"here": "1"}, writes=False),
    Case("hand-back", "who-person", ready=owned),
    Case("token-add", "token-add", {"name": "Sync", "scopes": ["tickets:read"]}),
    Case("token-revoke", "tokens"),
    Case("customer-add", "customer-add", {"name": "New", "emails": "new@customer.example"}),
    Case("customer-edit", "customer-edit", {"name": "Åsa L.", "emails": "asa@lindqvist.example\nasa@home.example"}),
    Case("company-edit", "company-edit", {"name": "Lindqvist AB", "zone": "Europe/Stockholm"}),
    Case("customer-consent", "customer", {"given": "no"}),
    Case("customer-consent", said=lambda w: {"given": "yes", "wording": "By phone", "subscription": w.subscription.pk}),
    Case("address-suppress", "customer"),
    Case("address-lift", "customer", page_where=lambda w: {"pk": w.blocked.customer_id}),
    Case("segment-add", "segment-add", {"name": "All", "action": "save"}),
    Case("segment", "segment", {"name": "All of them", "action": "save"}),
    Case("subscription-add", "subscription-add", {"name": "Offers"}),
    Case("subscription", "subscription", {"name": "Hints"}),
    Case("field-add", "field-add", {"label": "Renews on", "key": "renews_on", "type": "date"}),
    Case("field", "field", {"label": "Chairs"}),
    Case("answer-add", "answer-add", {"title": "How", "body": "So."}),
    Case("answer-edit", "answer-edit", {"title": "How else"}),
    Case("answer-archive", "answer"),
    Case("answer-restore", "answer", page_where=lambda w: {"pk": w.archived.pk}),
    Case("topic-add", "topic-add", {"name": "Shipping"}),
    Case("topic", "topic", {"name": "Money"}),
    Case("topic-archive", "topic", page_where=lambda w: {"pk": w.spare_topic.pk}),
    Case("topic-restore", "topic", page_where=lambda w: {"pk": w.archived_topic.pk}),
    Case("ticket-suggestion", said=lambda w: {"other": w.topic.pk}, where=live),
    Case("suggestions-learn", "suggestions"),
    Case("suggestions-trust", said={"automatic": "off", "least": "95"}),
    Case("mailbox-add", "mailbox-add", {"name": "Sales", "address": "sales@nordwind.example"}),
    Case("mailbox", "mailbox", {"name": "Help"}),
    Case("mailbox", "mailbox", {"imap_host": "imap.nordwind.example", "imap_user": "support", "password": "sesame"}),
    tried("hold", "pending"),
    tried("release", "held"),
    tried("never", "held"),
    tried("arrived", "unknown"),
    tried("lost", "unknown"),
    tried("again", "unknown"),
    Case("mail-switch", said={"name": "campaigns", "reason": "A wrong link."}),
    Case("mail-switch", said={"name": "campaigns"}, where=lambda w: {"turn": "on"}, ready=stopped),
    Case("mail-read-again", "operations", {"all": "1"}),
    Case("mail-by-hand", said=lambda w: {"id": [w.ignored.pk]}),
    Case("mail-discard", said=lambda w: {"id": [w.quarantined.pk]}),
    Case("events-deliver-again", "operations", {"all": "1"}),
    Case("campaign-new", "campaign-new", lambda w: {**CAMPAIGN, "subscription": w.subscription.pk}),
    Case("campaign-new", "campaign-new", {"action": "add-message"}, writes=False),
    Case("campaign-edit", "campaign-edit", CAMPAIGN),
    Case("campaign-launch", "campaign", page_where=lambda w: {"pk": w.draft.pk, "query": "?version=draft"}),
    Case("campaign-test", "campaign"),
    Case("campaign-pause", "campaign"),
    Case("campaign-resume", "campaign", page_where=lambda w: {"pk": w.paused.pk}),
    Case("campaign-finish", "campaign"),
    Case("campaign-cancel", "campaign"),
    Case("unsubscribe", "unsubscribe", stranger=True),
    Case("unsubscribe-undo", stranger=True, ready=lambda w, b: b.post(w.url("unsubscribe")) and {}),
    Case("subscriptions", "subscriptions", {"subscription": []}, stranger=True),
    Case(
        "mail-hook",
        said=lambda w: {"body-mime": "From: a@b.example\n\nHello", "recipient": w.mailbox.address, **mailgun_signature()},
        stranger=True,
    ),
    Case("ticket-change", "ticket-properties", {"priority": "low", "tags": "one, two", "status": "pending"}),
    Case("ticket-change", said={"status": "solved", "next": "1"}),
    Case("ticket-change", said={"assignee": "me"}),
    Case("ticket-change", said={"status": "open"}, where=lambda w: {"number": w.solved_ticket.number}),
    Case("ticket-change", said={"status": "spam"}),
    Case("ticket-change", said={"status": "open"}, ready=spam),
    Case("ticket-block", said={"who": "domain"}),
    Case("unblock", "blocked"),
    Case("view-add", "view-add", {"name": "New ones", "action": "save"}),
    Case("view", "view", {"name": "Hotter", "action": "save"}),
    Case("view-remove", "view"),
    Case("view-restore"),
    Case("view-place", said={"place": 3}),
    Case("view-in-rail", said={"show": "0"}),
    Case("ticket-compose", "ticket", {"kind": "reply", "text": "Thank you.", "status": "solved"}),
    Case("ticket-compose", "ticket", {"kind": "note", "text": "For us."}),
    Case("ticket-compose", "ticket", {"kind": "forward", "text": "Do you know it?", "to": "kim@supplier.example"}),
    Case("ticket-draft", said={"kind": "reply", "text": "Half a sent"}),
    Case("ticket-insert", "ticket-answers", lambda w: {"answer": w.answer.pk}),
    Case("ticket-unsend", "ticket", page_where=live),
    Case("ticket-resend"),
    Case("ticket-unsolve", where=live, ready=solved),
    Case("notifications-read", "notifications"),
    Case("rule-add", "rule-add", {"name": "Low is low", "priority": "low", "action": "save"}),
    Case("rule", "rule", {"name": "Other words", "action": "save"}),
    Case("rule", "rule", {"action": "try"}, writes=False),
    Case("rule-switch", "rule"),
    Case("rule-move", said={"to": "2"}),
    Case("rule-remove", "rule-remove"),
    Case("rule-restore", "rule", page_where=lambda w: {"pk": w.former_rule.pk}),
    Case("rules-import", "rules-import", {"source": RULES}),
    Case("rules-again", "rules"),
    Case("escalation-path-add", "escalation-path-add", lambda w: {"name": "Loss", "to0": f"user:{w.admin.pk}"}),
    Case("escalation-path", "escalation-path", {"name": "Bad loss"}),
    Case("escalation-path-remove", "escalation-path-remove"),
    Case("escalation-path-restore"),
    Case("skill-remove", "skill-remove"),
    Case("team-remove", "team-remove"),
    Case("team-restore", "team", page_where=lambda w: {"pk": w.former_team.pk}),
    Case("field-remove", "field-remove"),
    Case("field-restore", "field", page_where=lambda w: {"pk": w.former_field.pk}),
    Case("ticket-escalate", "ticket-escalate", lambda w: {"path": w.path.pk, "reason": "They lose data"}),
    Case("webhook-add", "webhook-add", {"name": "Chat", "url": "https://chat.example/in"}),
    Case("webhook", "webhook", {"name": "Pager"}),
    Case("webhook-rotate", "webhook"),
    Case("webhook-retry", "webhook"),
    Case(
        "submit",
        "submit",
        {"name": "Ben", "email": "ben@carter.example", "subject": "Export stops", "text": "At line 10,000."},
        ready=shown_a_while_ago,
        stranger=True,
    ),
    Case(
        "submit-form",
        "submit-form",
        {"name": "Ben", "email": "ben@carter.example", "subject": "Export stops", "text": "At line 10,000."},
        ready=shown_a_while_ago,
        stranger=True,
    ),
    Case("form-add", "form-add", {"name": "Parts", "slug": "parts"} | NO_QUESTIONS),
    Case("form", "form", {"name": "Returned goods", "slug": "returns"} | NO_QUESTIONS),
    Case("api-customers", said={"external_id": "x-1", "emails": ["x@y.example"], "name": "X"}),
    Case("api-customers", said={"external_id": "x-1", "emails": ["x@y.example"], "name": "X"}, method="PUT"),
    Case("api-consents", said={"subscription": "tips", "given": False, "source": "shop"}),
    Case("api-events", said=EVENT),
    Case("api-events-batch", said={"events": [EVENT, EVENT | {"id": "e-2"}]}),
    Case("api-tickets", said={"requester": {"external_id": "cus_asa"}, "subject": "From the shop", "text": "Where is it?"}),
    Case("api-ticket", said={"status": "solved", "priority": "low"}, method="PATCH"),
    Case("api-ticket-messages", said={"kind": "reply", "text": "On its way."}),
]


@pytest.fixture(autouse=True)
def feed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody publishes a calendar of holidays."""
    outing = dates.now().strftime("%Y0528").encode()
    event = b"BEGIN:VEVENT\nDTSTART;VALUE=DATE:" + outing + b"\nSUMMARY:Outing\nEND:VEVENT\n"
    monkeypatch.setattr(feeds, "fetch", lambda url: b"BEGIN:VCALENDAR\n" + event + b"END:VCALENDAR\n")


def test_every_route_that_writes_is_used_here(world: World) -> None:
    logging.disable(logging.ERROR)
    unsafe = {
        (m, r.name) for r in routes() for m in r.methods(world) if m in UNSAFE and (r.is_api or m != "PUT")
    }  # allauth's PUT is its POST
    known = {(case.method, case.route) for case in CASES}
    assert unsafe - known == set(), "say in CASES how it is used"
    assert known - unsafe == set(), "these are gone"


def test_twice_is_once(world: World) -> None:
    logging.disable(logging.ERROR)
    failed, idle, different = {}, [], {}
    for case in CASES:
        codes, rows, once = case.effect(world, 1)
        again, _rows, twice = case.effect(world, 2)
        if codes[0] >= 400 or again[-1] >= 500:
            failed[str(case)] = (codes, again)
        if bool(rows) != case.writes:
            idle.append(str(case))
        if once != twice and case.route not in REPLACED:
            different[str(case)] = difference_of(once, twice)
    assert failed == {}
    assert idle == [], "what changes nothing proves nothing, and the other way round"
    assert different == {}, "the second of two identical requests had an effect of its own"


def difference_of(once: dict[str, list[str]], twice: dict[str, list[str]]) -> dict[str, Any]:
    """The tables that differ, with both, for the person who reads the failure."""
    return {t: {"once": once.get(t), "twice": twice.get(t)} for t in {*once, *twice} if once.get(t) != twice.get(t)}
