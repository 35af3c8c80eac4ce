"""The manager's pages: written, read, launched, paused, with and without JavaScript, once and twice."""

import json
import re
from html import unescape

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from helpdesk.accounts.models import AuditEntry
from helpdesk.customers.models import FieldDefinition, Segment
from helpdesk.mail.models import Outgoing
from outreach.guards import GUARDS
from outreach.models import Campaign, Version

pytestmark = pytest.mark.django_db
NEW = "/outreach/campaigns/new/"


@pytest.fixture
def mias(browser, mia):
    return browser(mia)


@pytest.fixture
def filled(tips, support, plan):
    """What a manager types."""
    return {
        "name": "Parcel tips",
        "klass": "lifecycle",
        "subscription": tips.pk,
        "topic": "",
        "mailbox": support.pk,
        "waits": "on",
        "trigger_kind": "order_shipped",
        "entry_key": "order_id",
        "exit_kind": "order_cancelled",
        "quiet_from": "22:00",
        "quiet_until": "08:00",
        "cap": "2",
        "cap_days": "7",
        "c-join": "all",
        "c0-field": "attribute.plan",
        "c0-op": "is",
        "c0-value": "pro",
        "m-TOTAL_FORMS": "1",
        "m-INITIAL_FORMS": "0",
        "m-0-wait": "1",
        "m-0-unit": "days",
        "m-0-subject": "Your {{ event.order_id }}",
        "m-0-body": "Hello {{ customer.first_name }}",
        "m-0-fallbacks": "customer.first_name: there",
        "m-0-too_late": "48",
        "action": "save",
    }


def write(client, filled, url=NEW, **changes):
    return client.post(url, {**filled, **changes})


def errors(response):
    return re.sub(r"<[^>]+>", " ", response.content.decode())


def test_the_empty_list_says_what_to_do(mias, browser, ana):
    assert "Write a campaign" in mias.get("/outreach/").content.decode()
    assert NEW not in browser(ana).get("/outreach/").content.decode()


def test_written_read_launched_once(mias, filled, ben, mia):
    saved = write(mias, filled)
    campaign = Campaign.objects.get()
    assert saved.status_code == 302 and saved["Location"] == f"/outreach/campaigns/{campaign.pk}/?version=draft"
    version = campaign.draft
    assert version.steps == [
        {"do": "wait", "seconds": 86400},
        {
            "do": "send",
            "subject": "Your {{ event.order_id }}",
            "body": "Hello {{ customer.first_name }}",
            "fallbacks": {"customer.first_name": "there"},
            "too_late": 172800,
        },
    ]
    assert version.conditions == {"all": [{"field": "attribute.plan", "op": "is", "value": "pro"}]}
    page = mias.get(saved["Location"]).content.decode()
    assert "Start with the next “order_shipped”" in page and "Ben Carter" in page and "Hello Ben" in page
    for _twice in range(2):
        assert mias.post(reverse("campaign-launch", args=[campaign.pk])).status_code == 302
    campaign.refresh_from_db()
    assert campaign.status == "running" and AuditEntry.objects.filter(action="campaign.launched").count() == 1
    assert "It runs" in mias.get(reverse("campaign", args=[campaign.pk])).content.decode()


def test_what_runs_never_changes_and_the_next_version_takes_over(mias, filled, mia):
    write(mias, filled)
    campaign = Campaign.objects.get()
    mias.post(reverse("campaign-launch", args=[campaign.pk]))
    first = campaign.live
    edit = reverse("campaign-edit", args=[campaign.pk])
    assert "Your {{ event.order_id }}" in mias.get(edit).content.decode()
    write(mias, filled, edit, **{"m-0-subject": "Another"})
    first.refresh_from_db()
    assert first.steps[1]["subject"] == "Your {{ event.order_id }}" and campaign.draft.number == 2
    with pytest.raises(IntegrityError, match="launched and never changes"), transaction.atomic():
        Version.objects.filter(pk=first.pk).update(steps=[])
    mias.post(reverse("campaign-launch", args=[campaign.pk]))
    assert campaign.live.number == 2 and campaign.draft is None


WRONG = [
    ({"name": ""}, "Name: This field is required."),
    ({"subscription": ""}, "say no to it"),
    ({"trigger_kind": "order shipped; drop"}, "Write it as your systems send it"),
    ({"exit_kind": "order_shipped"}, "cannot be what starts it"),
    ({"entry_key": "a..b"}, "Write the name of one value of the event"),
    ({"trigger_kind": "ticket.noted"}, "starts and ends nothing"),
    ({"m-0-body": "{{ settings.SECRET_KEY }}"}, "knows nothing called “settings”"),
    ({"m-0-body": "{% include 'x' %}"}, "include"),
    ({"m-0-subject": "{{ customer.name"}, "Subject"),
    ({"m-0-fallbacks": "first name there"}, "a colon and a text"),
    ({"quiet_until": ""}, "both ends"),
    ({"c0-value": ""}, "is not set"),
    ({"c0-field": "password"}, "There is no field “password”"),
    ({"c0-field": "ticket__requester__user__password"}, "There is no field"),
    ({"source": "{not json"}, "This is not JSON"),
    ({"source": '{"all": [{"field": "user__password", "op": "is", "value": "x"}]}'}, "There is no field"),
    ({"source": "[" * 5000}, "JSON"),
]


@pytest.mark.parametrize(("change", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_bad_input_gets_a_clear_error_and_loses_nothing(mias, filled, change, said):
    response = write(mias, filled, **change)
    page = response.content.decode()
    assert response.status_code == 422 and said in errors(response)
    assert ('value="Parcel tips"' in page) == ("name" not in change)
    assert ('value="order_cancelled"' in page) == ("exit_kind" not in change)
    assert not Campaign.objects.exists()


def test_a_launch_is_refused_with_all_its_reasons(mias, filled, settings):
    write(mias, filled, **{"m-0-fallbacks": ""})
    campaign = Campaign.objects.get()
    settings.POSTAL_ADDRESS = ""
    page = mias.post(reverse("campaign-launch", args=[campaign.pk]), follow=True).content.decode()
    assert "POSTAL_ADDRESS" in page and "say what to write when “customer.first_name” is not known" in page
    campaign.refresh_from_db()
    assert campaign.status == "draft" and campaign.live is None


def test_docs_and_form_teach_one_way_for_what_is_missing(mias, filled, settings):
    taught = (settings.BASE_DIR / "docs/managers.md").read_text()
    form = unescape(mias.get(NEW).content.decode())
    assert "When something is not known" in taught and "When something is not known" in form
    for example in ("customer.first_name: there", "{{ customer.first_name }}", "{{ event.order_id }}"):
        assert example in taught and example in form
    assert "default:" not in taught and "order.id" not in taught
    write(mias, filled, **{"m-0-body": "{{ customer.first_name }}", "m-0-fallbacks": "customer.first_name: there"})
    mias.post(reverse("campaign-launch", args=[Campaign.objects.get().pk]))
    assert Campaign.objects.get().status == "running"


def test_turns_are_posts_and_done_once(mias, campaign):
    made = campaign().campaign
    for turn, status in [("pause", "paused"), ("resume", "running"), ("finish", "finished"), ("cancel", "cancelled")]:
        url = reverse(f"campaign-{turn}", args=[made.pk])
        assert mias.get(url).status_code == 405
        for _twice in range(2):
            assert mias.post(url).status_code == 302
        made.refresh_from_db()
        assert made.status == status
    assert AuditEntry.objects.filter(subject=made.subject).count() == 5


def test_a_pause_says_what_it_misses_and_takes_it_in_never(mias, campaign, happens, drain, ben, cleo):
    made = campaign().campaign
    page = reverse("campaign", args=[made.pk])
    happens("order_shipped", cleo, order_id="A-0")
    drain()
    assert "An event that comes during a pause starts nothing, not even later." in mias.get(page).content.decode()
    mias.post(reverse("campaign-pause", args=[made.pk]))
    assert "0 such events came since." in mias.get(page).content.decode()
    happens("order_shipped", ben, order_id="A-1")
    happens("order_lost", ben)
    drain()
    said = mias.get(page).content.decode()
    assert "starts nothing, not even when it goes on. 1 such event came since." in said
    assert "whoever fits, nobody new comes in" in mias.get(reverse("campaign-who", args=[made.pk]), {"q": "Ben"}).content.decode()
    mias.post(reverse("campaign-resume", args=[made.pk]))
    drain()
    assert list(made.enrolments.values_list("customer", flat=True)) == [cleo.pk]
    assert "such event came since" not in mias.get(page).content.decode()
    happens("order_shipped", ben, order_id="A-2")
    drain()
    assert made.enrolments.count() == 2


READERS = ["campaigns", "guards"]
OF_ONE = {
    "campaign": "get",
    "campaign-who": "get",
    "campaign-edit": "get",
    "campaign-launch": "post",
    "campaign-test": "post",
    "campaign-pause": "post",
    "campaign-resume": "post",
    "campaign-finish": "post",
    "campaign-cancel": "post",
}


def test_who_may_do_what(browser, ana, campaign, client):
    made = campaign().campaign
    anas = browser(ana)
    for name in READERS:
        assert anas.get(reverse(name)).status_code == 200 and client.get(reverse(name)).status_code == 302
    for name, method in OF_ONE.items():
        url = reverse(name, args=[made.pk])
        expected = 200 if name in ("campaign", "campaign-who") else 403
        assert getattr(anas, method)(url).status_code == expected, name
        assert getattr(client, method)(url).status_code == 302, name
        assert "accounts/login" in getattr(client, method)(url)["Location"]
    assert anas.post(NEW, {}).status_code == 403
    made.refresh_from_db()
    assert made.status == "running"


def test_a_test_goes_to_oneself_once_a_click(mias, mia, filled, ben, drain, sink):
    write(mias, filled)
    campaign = Campaign.objects.get()
    url = reverse("campaign-test", args=[campaign.pk])
    for _twice in range(2):
        mias.post(url, {"once": "abc", "as": ben.pk})
    drain()
    (got,) = sink
    assert got.recipients == [mia.email] and "Hello Ben" in got.text and "Unsubscribe" in got.text
    assert Outgoing.objects.get().customer is None


def test_buttons_of_the_form_work_without_javascript(mias, filled, ben, cleo):
    page = write(mias, filled, action="redraw").content.decode()
    assert "1 customer fits" in page and 'name="c1-field"' in page and "Hello {{ customer.first_name }}" in page
    page = write(mias, filled, action="remove-0").content.decode()
    assert "2 customers fit" in page and 'name="c0-value"' not in page
    page = write(mias, filled, action="add-message").content.decode()
    assert 'name="m-1-subject"' in page and "This field is required" not in page
    two = {**filled, "m-TOTAL_FORMS": "2", "m-1-wait": "2", "m-1-unit": "days", "m-1-subject": "Second", "m-1-body": "x"}
    page = write(mias, two, action="remove-message-0").content.decode()
    assert 'value="Second"' in page and 'name="m-1-subject"' not in page
    page = write(mias, filled, action="to-json").content.decode()
    assert "attribute.plan" in page and 'name="source"' in page
    deep = {"any": [{"not": {"field": "attribute.plan", "op": "is", "value": "free"}}]}
    page = write(mias, filled, action="to-rows", source=json.dumps(deep)).content.decode()
    assert 'name="c0-0-value" value="free"' in page.replace(' size="20" id="c0-0-value"', "")
    assert not Campaign.objects.exists()


def test_htmx_gets_the_segment_alone(mias, filled, ben):
    response = mias.post(NEW, {**filled, "action": "redraw"}, headers={"HX-Request": "true", "HX-Target": "conditions"})
    page = response.content.decode()
    assert page.strip().startswith("<div") and "<html" not in page and "1 customer fits" in page


def test_a_deep_tree_survives_the_form(mias, filled, ben):
    deep = {
        "any": [
            {
                "all": [
                    {"field": "attribute.plan", "op": "is", "value": "pro"},
                    {"not": {"field": "ticket", "op": "has", "where": {"field": "open", "op": "is", "value": True}}},
                ]
            }
        ]
    }
    write(mias, filled, source=json.dumps(deep))
    campaign = Campaign.objects.get()
    assert campaign.draft.conditions == deep
    edit = reverse("campaign-edit", args=[campaign.pk])
    page = mias.get(edit).content.decode()
    assert 'name="c0-1-0-w-0-field"' in page and re.search(r'<option value="none" selected>', page)
    as_json = write(mias, filled, edit, action="to-json", source=json.dumps(deep)).content.decode()
    source = re.search(r'<textarea[^>]*id="source"[^>]*>(.*?)</textarea>', as_json, re.S)
    assert json.loads(unescape(source[1])) == deep


def test_a_campaign_starts_from_a_saved_segment(mias, filled, ben, cleo):
    trial = {"any": [{"field": "name", "op": "contains", "value": "Cleo"}, {"field": "email", "op": "is_not_set"}]}
    saved = Segment.objects.create(name="Trials", conditions=trial)
    copied = write(mias, filled, action="copy", **{"from": saved.pk}).content.decode()
    assert 'value="Cleo"' in copied and "1 customer fits" in copied and 'value="pro"' not in copied
    assert 'value="Parcel tips"' in copied and "This field is required" not in copied
    part = mias.post(
        NEW, {**filled, "action": "copy", "from": saved.pk}, headers={"HX-Request": "true", "HX-Target": "conditions"}
    ).content.decode()
    assert 'value="Cleo"' in part and "Parcel tips" not in part
    for wrong in ("", "x", "999", "9" * 30):
        page = write(mias, filled, action="copy", **{"from": wrong}).content.decode()
        assert "Choose the segment to start from" in page and 'value="pro"' in page
    assert not Campaign.objects.exists()


def test_a_draft_whose_field_is_gone_can_still_be_asked(mias, filled, ben):
    write(mias, filled)
    FieldDefinition.objects.all().delete()
    campaign = Campaign.objects.get()
    page = mias.get(reverse("campaign-who", args=[campaign.pk]), {"q": "ben"})
    assert page.status_code == 200 and "There is no field “attribute.plan”" in page.content.decode()
    assert "There is no field" in mias.get(reverse("campaign-edit", args=[campaign.pk])).content.decode()


def test_why_somebody_is_in_or_not(mias, filled, ben, cleo):
    write(mias, filled)
    url = reverse("campaign-who", args=[Campaign.objects.get().pk])
    assert "Ben Carter is in it" in mias.get(url, {"q": "ben@"}).content.decode()
    assert "Cleo Marchetti is not in it" in mias.get(url, {"q": "Cleo"}).content.decode()
    assert "Nobody is called" in mias.get(url, {"q": "zzz"}).content.decode()


def test_the_guards_are_shown_as_they_are(mias):
    page = mias.get("/outreach/guards/").content.decode()
    assert all(str(guard.title) in page for guard in GUARDS)


def test_the_page_says_who_would_be_stopped_and_why(mias, campaign, ben, cleo):
    page = mias.get(reverse("campaign", args=[campaign().campaign.pk])).content.decode()
    assert re.search(r"Has not said yes to this subscription</td>.*?number\">1<", page, re.S)


@pytest.mark.parametrize("query", ["?before=x", "?before=99999999999999999999999", "?before=1"])
def test_a_page_of_nothing(mias, query):
    assert mias.get(f"/outreach/{query}").status_code == 200


def test_lists_cost_the_same_however_long(mias, campaign, django_assert_max_num_queries):
    for number in range(5):
        campaign(name=f"Campaign {number}")
    with django_assert_max_num_queries(9):
        mias.get("/outreach/")


def test_a_campaign_that_waits_for_no_ticket_is_saved_as_such(browser, mia, filled):
    page = browser(mia)
    saved = page.post("/outreach/campaigns/new/", {key: value for key, value in filled.items() if key != "waits"})
    campaign = Campaign.objects.get()
    assert saved.status_code == 302 and campaign.holds == {}
    page.post(f"/outreach/campaigns/{campaign.pk}/edit/", filled)
    campaign.refresh_from_db()
    assert campaign.holds == {"field": "ticket", "op": "has", "where": {"field": "open", "op": "is", "value": True}}


def seen_in(page):
    return re.search(r'name="seen" value="(\w+)"', page.content.decode())[1]


def test_two_managers_write_one_draft_and_neither_loses_a_word(browser, mias, omar, filled):
    write(mias, filled)
    campaign = Campaign.objects.get()
    edit, omars = reverse("campaign-edit", args=[campaign.pk]), browser(omar)
    seen = seen_in(mias.get(edit))
    assert seen_in(write(mias, filled, edit, seen=seen, action="add-message")) == seen
    write(omars, filled, edit, **{"seen": seen, "m-0-subject": "Omar’s subject", "c0-value": "free", "cap": "5"})
    redrawn = write(mias, filled, edit, **{"seen": seen, "m-0-body": "Mia’s text", "action": "add-message"})
    assert redrawn.status_code == 200 and seen_in(redrawn) == seen  # a button that only redraws asks nothing yet
    typed = {"seen": seen, "m-0-body": "Mia’s text", "entry_key": ""}
    asked = write(mias, filled, edit, **typed)
    html = unescape(asked.content.decode())
    assert asked.status_code == 409 and "Omar Haddad saved this while you were writing" in html
    for theirs, mine in [
        ("Omar’s subject", "Your {{ event.order_id }}"),
        ("Hello {{ customer.first_name }}", "Mia’s text"),
        ("5", "2"),
        ("order_id", "nothing"),
    ]:
        assert f"</b>{theirs}</dd><dd><b>Yours</b>{mine}</dd>" in html, theirs
    assert "Plan is free</dd>" in html and ">\nMia’s text</textarea>" in html
    assert campaign.draft.steps[1]["subject"] == "Omar’s subject" and campaign.draft.cap == 5
    on_purpose = {**typed, "seen": seen_in(asked)}
    for _twice in range(2):
        assert write(mias, filled, edit, **on_purpose).status_code == 302
    assert campaign.draft.steps[1]["body"] == "Mia’s text" and campaign.draft.cap == 2
    assert AuditEntry.objects.filter(action="campaign.written").count() == 3
    lost = write(omars, filled, edit, seen=seen, name="")  # an error and somebody else's words: both are said
    assert lost.status_code == 409 and "This field is required" in errors(lost)


def test_a_message_that_somebody_added_is_shown_before_it_is_overwritten(browser, mias, omar, filled):
    write(mias, filled)
    edit = reverse("campaign-edit", args=[Campaign.objects.get().pk])
    seen = seen_in(mias.get(edit))
    second = {"m-TOTAL_FORMS": "2", "m-1-wait": "2", "m-1-unit": "days", "m-1-subject": "Second", "m-1-body": "Did it come?"}
    assert write(browser(omar), filled, edit, seen=seen, **second).status_code == 302
    asked = write(mias, filled, edit, seen=seen)
    assert asked.status_code == 409 and "Did it come?" in asked.content.decode()
    assert len(Campaign.objects.get().draft.sends) == 2


def test_two_managers_write_one_segment(browser, mias, omar, ben):
    pros = Segment.objects.create(name="Pros", conditions={"all": []})
    url, omars = reverse("segment", args=[pros.pk]), browser(omar)
    said = {"name": "Pros", "c-join": "all", "c0-field": "name", "c0-op": "is", "action": "save"}
    said["seen"] = seen_in(mias.get(url))
    assert omars.post(url, {**said, "c0-value": "Omar’s"}).status_code == 302
    asked = mias.post(url, {**said, "c0-value": "Mia’s"})
    html = unescape(asked.content.decode())
    assert asked.status_code == 409 and "Omar Haddad saved this" in html and "is Omar’s</dd>" in html and "is Mia’s</dd>" in html
    assert mias.post(url, {**said, "c0-value": "Mia’s", "seen": seen_in(asked)}).status_code == 302
    pros.refresh_from_db()
    assert pros.conditions["all"][0]["value"] == "Mia’s"


def test_events_without_their_entry_key_are_said(mias, campaign, happens, drain, ben, cleo):
    made = campaign().campaign
    page = reverse("campaign", args=[made.pk])
    happens("order_shipped", ben, order_id="A-1")
    drain()
    assert "started nothing" not in mias.get(page).content.decode()
    for lacking in ({}, {"order_id": ""}, {"order_id": None}, {"order_id": True}, {"order": {"order_id": "A-2"}}):
        happens("order_shipped", cleo, **lacking)
    happens("order_shipped", cleo, order_id=7)
    happens("order_lost", cleo)
    drain()
    said = mias.get(page).content.decode()
    assert "5 “order_shipped” events had no order_id, so they started nothing" in said
    assert "7 such events in 7 days" in said and made.enrolments.count() == 2
    deep = campaign(name="Deep", launch=False, entry_key="order.order_id").campaign
    assert "6 “order_shipped” events had no order.order_id" in mias.get(reverse("campaign", args=[deep.pk])).content.decode()


def test_the_timeline_says_what_the_entry_key_is(mias, campaign, happens, drain, ben):
    campaign()
    for kind in ("order_shipped", "order_cancelled"):
        happens(kind, ben, order_id="A-1")
        drain()
    said = mias.get(f"/customers/{ben.pk}/").content.decode()
    assert "because “order_shipped” happened, for order_id A-1" in unescape(said)
    assert "“order_cancelled” happened, for order_id A-1" in unescape(said)


def test_the_count_alone_is_asked_for_while_one_types(mias, filled, ben, cleo):
    live = {"HX-Request": "true", "HX-Target": "meant"}
    for url in (NEW, reverse("segment-add")):
        counted = mias.post(url, {**filled, "action": "count"}, headers=live).content.decode()
        assert "1 customer fits" in counted and "<form" not in counted and "c0-value" not in counted
        begun = mias.post(url, {**filled, "action": "count", "c0-value": ""}, headers=live).content.decode()
        assert "counted when every condition" in begun and "error" not in begun
    assert not Campaign.objects.exists() and not Segment.objects.exists()
