"""Rules and escalation as a team lead meets them: written, tried, switched on, ordered, explained, taken along as JSON."""

import html
import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from helpdesk.accounts.models import AuditEntry, Notification, Reach, Team, User
from helpdesk.customers.models import FieldDefinition
from helpdesk.knowledge.models import Answer
from helpdesk.lib import dates
from tickets import intake
from tickets.models import EscalationPath, Rule, RuleMeeting, RuleRun
from tickets.rules import actions, keeping, timers
from tickets.rules.keeping import Wording

pytestmark = pytest.mark.django_db


@pytest.fixture
def lead(browser, mia):
    return browser(mia)


def write(lead, kind="update", **said):
    page = {"action": "save", "name": "Urgent goes to the top", "priority": "urgent", "source": "{}"}
    return lead.post(f"/rules/new/?list={kind}", page | said)


URGENT = json.dumps({"all": [{"field": "tags", "op": "added", "value": ["down"]}]})


def test_a_lead_writes_tries_and_switches_on_a_rule(lead, browser, ana, ticket, drain):
    drain()
    ticket.tag(["down"], by=ana)
    drain()
    tried = write(lead, source=URGENT, action="try").content.decode()
    assert "It would have fired for 1 of the last ticket" in tried and f"#{ticket.number}" in tried and not Rule.objects.exists()
    assert write(lead, source=URGENT).status_code == 302
    rule = Rule.objects.get()
    assert not rule.is_enabled  # it comes switched off
    ticket.tag([], by=ana)
    ticket.tag(["down"], by=ana)
    drain()
    ticket.refresh_from_db()
    assert ticket.priority == "normal"
    for _twice in range(2):
        assert lead.post(f"/rules/{rule.pk}/switch/", {"on": "1"}).status_code == 302
    ticket.tag([], by=ana)
    drain()
    ticket.tag(["down", "other"], by=ana)
    drain()
    ticket.refresh_from_db()
    assert ticket.priority == "urgent"
    why = browser(ana).get(f"/tickets/{ticket.number}/rules/").content.decode()
    assert "tags got down" in why and "(nothing → down, other)" in why and "Set the priority to Urgent" in why
    assert f'href="/rules/{rule.pk}/"' not in why  # an agent reads why, and edits nothing
    thread = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
    assert "Rule “Urgent goes to the top”: priority: Normal → Urgent" in thread
    untagged = RuleMeeting.objects.filter(ticket=ticket).order_by("id").first()
    silent = browser(ana).get(f"/tickets/{ticket.number}/rules/?change={untagged.pk}").content.decode()
    assert "Because this does not hold:" in silent and "(down → nothing)" in silent
    met = lead.get(f"/rules/{rule.pk}/met/?ticket=%23{ticket.number}").content.decode()
    assert met.count("Fired</span>") == 2 and met.count("Did not fire</span>") == 1
    assert "There is no ticket #99999999" in lead.get(f"/rules/{rule.pk}/met/?ticket=99999999").content.decode()


def test_its_history_says_who_changed_what_in_words(lead, browser, omar):
    write(lead)
    rule = Rule.objects.get()
    team = Team.objects.create(name="Night", slug="night")
    page = {"action": "save", "name": rule.name, "priority": "high", "team": team.pk, "source": "{}"}
    assert browser(omar).post(f"/rules/{rule.pk}/", page).status_code == 302
    browser(omar).post(f"/rules/{rule.pk}/", page)  # the same again is no version
    assert [v.number for v in rule.versions.all()] == [2, 1]
    shown = lead.get(f"/rules/{rule.pk}/").content.decode()
    assert "Omar Haddad</b> changed it" in shown and "Mia Sandoval</b> wrote it" in shown
    assert "<del>set the priority to Urgent</del> → " in shown
    assert "<ins>set the priority to High, move it to “Night”</ins>" in shown


def test_up_and_down_without_script_and_a_second_click_moves_nothing(lead):
    for name in "abc":
        write(lead, name=name)
    a, b, c = Rule.objects.order_by("position")
    for _twice in range(2):
        lead.post(f"/rules/{c.pk}/move/", {"to": "1"})
        assert list(Rule.objects.order_by("position")) == [c, a, b]
    page = lead.get("/rules/").content.decode()
    assert "Move “c” down to place 2" in page and "Move “c” up" not in page
    assert AuditEntry.objects.filter(action="rule.moved").count() == 1


def test_what_is_wrong_is_said_beside_it_and_nothing_typed_is_lost(lead):
    page = write(lead, priority="", escalate_reason="They shout", add_tags="x").content.decode()
    assert "Choose by which path." in page and 'value="They shout"' in page and not Rule.objects.exists()
    assert "choose at least one thing under “Then”" in write(lead, priority="").content.decode()
    write(lead)
    again = write(lead)
    assert again.status_code == 422 and "There is a rule of this name in this list already." in again.content.decode()


def test_out_as_json_and_in_again_by_names(lead, mia, ana):
    team = Team.objects.create(name="Night", slug="night")
    tree = json.dumps({"all": [{"field": "team", "op": "changed_to", "value": team.pk}]})
    write(lead, source=tree, assignee=ana.pk, notify_people=[mia.pk], notify_words="look", happened=["ticket.updated"])
    sent = lead.get("/rules/export/").content.decode()
    [row] = json.loads(sent)["rules"]
    assert row["conditions"] == {"all": [{"field": "team", "op": "changed_to", "value": "Night"}]}
    assert row["actions"]["assignee"] == ana.email and row["actions"]["notify"] == {"people": [mia.email], "words": "look"}
    assert lead.post("/rules/import/", {"source": sent}).status_code == 302 and Rule.objects.get().versions.count() == 1
    Rule.objects.update(version=None)
    Rule.objects.all().delete()
    assert lead.post("/rules/import/", {"source": sent}).status_code == 302
    assert Rule.objects.get().version.conditions == json.loads(tree) and not Rule.objects.get().is_enabled


WRONG = [
    (lambda row: row.update(conditions={"all": [{"field": "nope", "op": "is", "value": 1}]}), "conditions.all[0].field"),
    (lambda row: row["actions"].update(team="Moon"), "nothing here is called “Moon”."),
    (lambda row: row["actions"].update(fly=1), "there is no action “fly”."),
    (lambda row: row["actions"].update(priority="huge"), "“huge” is no priority."),
    (lambda row: row.update(list="never"), "list is one of create, update, time."),
    (lambda row: row.update(happened=["ticket.eaten"]), "“ticket.eaten” is none."),
    (lambda row: row.update(colour="red"), "“colour” does not belong here."),
    (lambda row: row.update(happened="x"), "“x” is none."),
    (lambda row: row.update(happened=[[]]), "“[]” is none."),
    (lambda row: row.update(list="time", since=[], minutes=5), "since is one of opened,"),
    (lambda row: row["actions"].update(webhook="nobody"), "nothing here is called “nobody”."),
    (lambda row: row["actions"].update(status="spam"), "“spam” is no status."),
    (lambda row: row["actions"].update(add_tags=["a\0b"]), "NUL character"),
    (lambda row: row["actions"].update(escalate={"path": "Outage", "reason": 5}), "reason of escalate is a text"),
    (lambda row: row["actions"].update(notify={"assignee": True, "words": "x" * 151}), "words of notify is a text"),
    (lambda row: row["actions"].update(notify={}), "notify names nobody."),
    (lambda row: row["actions"].update(note=" "), "note is a text."),
    (lambda row: row["actions"].update(note="x" * 1001), "A note has at most 1000 characters."),
    (lambda row: row["actions"].update(note="{{ agent.name }}"), "A text knows nothing called “agent”"),
    (lambda row: row.pop("conditions"), "say in conditions when; {} is always."),
    (lambda row: row.update(conditions=None), "say in conditions when; {} is always."),
    (lambda row: row.update(on="maybe"), "on is true or false."),
    (lambda row: row.update(name="One"), "there is another of this name in its list."),
]


def test_a_file_that_is_wrong_says_where_and_brings_nothing(lead):
    for change, words in WRONG:
        row = {"name": "One", "list": "update", "conditions": {}, "actions": {"priority": "high"}}
        second = {"name": "Two", "list": "update", "conditions": {}, "actions": {"priority": "high"}}
        change(second)
        sent = json.dumps({"twofold": "rules", "version": 1, "rules": [row, second]})
        answer = lead.post("/rules/import/", {"source": sent})
        page = answer.content.decode()
        assert answer.status_code == 422 and f"Rule 2 (“{second['name']}”)" in page and words in page
        assert not Rule.objects.exists()


def test_a_rule_says_which_language_it_is(lead, browser, ana, ticket, drain):
    write(lead, kind="create", name="Austrians", priority="", language="de", source="{}")
    rule = Rule.objects.get()
    assert "set the language to German" in lead.get("/rules/").content.decode()
    lead.post(f"/rules/{rule.pk}/switch/", {"on": "1"})
    ticket = intake.open_ticket(ticket.requester, "Servus", intake.Words("x"), channel="form", language="en")
    drain()
    ticket.refresh_from_db()
    assert ticket.language == "de"
    sent = lead.get("/rules/export/").content.decode()
    wrong = lead.post("/rules/import/", {"source": sent.replace('"language": "de"', '"language": "dog"')})
    assert wrong.status_code == 422 and "“dog” is no language." in wrong.content.decode()


def test_a_file_changes_no_rule_that_is_on_before_somebody_agrees(lead):
    write(lead)
    rule = Rule.objects.get()
    lead.post(f"/rules/{rule.pk}/switch/", {"on": "1"})
    sent = {"source": lead.get("/rules/export/").content.decode().replace('"urgent"', '"low"')}
    refused = lead.post("/rules/import/", sent)
    assert refused.status_code == 422 and f"On, and different in the file: “{rule}”" in refused.content.decode()
    rule.refresh_from_db()
    assert rule.version.actions == {"priority": "urgent"}
    assert lead.post("/rules/import/", {**sent, "live": "on"}).status_code == 302
    rule.refresh_from_db()
    assert rule.version.actions == {"priority": "low"} and rule.is_enabled
    empty = json.dumps({"twofold": "rules", "version": 1, "rules": []})
    assert "There is no rule in it." in lead.post("/rules/import/", {"source": empty}).content.decode()


def test_an_empty_group_asks_nothing(lead):
    rows = {"c-join": "any", "c0-field": "tags", "c0-op": "any_of", "c0-value": "vip", "c1-join": "any", "c2-join": "all"}
    answer = lead.post("/rules/new/?list=create", rows | {"c2-0-join": "any", "name": "x", "priority": "low", "action": "save"})
    assert answer.status_code == 302
    assert Rule.objects.get().version.conditions == {"any": [{"field": "tags", "op": "any_of", "value": ["vip"]}]}


def test_why_not_yet_for_a_rule_after_a_time(lead, ticket):
    said = {"count": "2", "unit": "hours", "since": "opened", "kind": "time", "source": "{}"}
    write(lead, **said)
    rule = Rule.objects.get()
    with dates.moved(by=timedelta(hours=3)):
        lead.post(f"/rules/{rule.pk}/switch/", {"on": "1"})
        page = lead.get(f"/rules/{rule.pk}/met/?ticket={ticket.number}").content.decode()
        assert "Its time was over" in page
        fresh = intake.open_ticket(ticket.requester, "x", intake.Words("y"), channel="form")
        timers.plan({fresh.pk}, Rule.objects.filter(pk=rule.pk))
        page = lead.get(f"/rules/{rule.pk}/met/?ticket={fresh.number}").content.decode()
        assert f"Its turn for #{fresh.number} comes" in page


def test_a_file_is_brought_without_what_names_nothing_here(lead):
    row = {"list": "update", "conditions": {}, "actions": {"team": "Moon"}}
    good = {"name": "Good", "list": "update", "conditions": {}, "actions": {"add_tags": ["x"]}}
    asks = {"all": [{"field": "team", "op": "is", "value": "Moon"}]}
    rows = [
        {**row, "name": "Bad"},
        good,
        {**good, "name": "Worse", "conditions": asks},
        {**good, "name": "Odd", "conditions": [1]},
    ]
    sent = {"source": json.dumps({"twofold": "rules", "version": 1, "rules": rows})}
    chosen = SimpleUploadedFile("rules.json", b"\xef\xbb\xbf" + sent["source"].encode())
    refused = lead.post("/rules/import/", {"file": chosen})
    assert refused.status_code == 422 and refused.context["form"]["source"].value() == sent["source"]  # to mend it there
    for file, also, why in (
        (b"{}", sent, "A file, or its text below: not both."),
        ("Grüße".encode("cp1252"), {}, "It is not written in UTF-8."),
        (b" " * 1_000_001, {}, "It has more than a million bytes."),
    ):
        wrong = lead.post("/rules/import/", {"file": SimpleUploadedFile("rules.json", file), **also})
        assert wrong.status_code == 422 and why in wrong.content.decode()
        assert wrong.context["form"]["source"].value() == also.get("source", None)
    assert "Choose a file, or put its text here." in lead.post("/rules/import/").content.decode()
    page = refused.content.decode()
    assert "Rule 1 (“Bad”): nothing here is called “Moon”." in page and "Rule 3 (“Worse”): conditions.all[0].value:" in page
    assert "Rule 4 (“Odd”): say in conditions when" in page and not Rule.objects.exists()
    page = lead.post("/rules/import/", {**sent, "leave_out": "on"}, follow=True).content.decode()
    assert Rule.objects.get().name == "Good" and "1 rule is new" in page and "Left out: Rule 1 (“Bad”)" in page


def test_a_rule_whose_things_are_gone_says_so_in_the_list_and_on_its_page(lead, ana, mia, drain):
    """A live rule that does nothing any more is found before a ticket meets it."""
    define = FieldDefinition.objects.create
    tier = define(subject="ticket", key="tier", label="Tier", type="choice", choices=["gold", "tin"])
    answer = Answer.objects.create(title="Refund", body="We pay back.")
    night, path = Team.objects.create(name="Night", slug="night"), EscalationPath.objects.create(name="Outage")
    tree = json.dumps({"all": [{"field": "attribute.tier", "op": "is", "value": "tin"}]})
    write(lead, name="whole", assignee=ana.pk, reply=answer.pk, team=night.pk, source=tree, notify_people=[ana.pk])
    write(lead, name="path", escalate_path=path.pk, escalate_reason="They wait", **{"attribute.tier": "tin"})
    assert "does not work any more" not in lead.get("/rules/").content.decode()
    tier.choices = ["gold"]
    tier.save()
    Answer.objects.update(archived_at=dates.now())
    User.objects.filter(pk=ana.pk).update(is_active=False)
    night.delete()
    EscalationPath.objects.update(is_enabled=False)
    whole, other = Rule.objects.order_by("position")
    for address in ("/rules/", f"/rules/{whole.pk}/"):
        page = html.unescape(lead.get(address).content.decode())
        assert "The conditions ask for what is not there: “tin” is not one of the choices." in page
        for words in ("move it to what is gone", f"give it to “{ana}”", "answer with “Refund”", f"tell {ana}"):
            assert f"It does not work any more: {words}." in page, words
    page = html.unescape(lead.get(f"/rules/{other.pk}/").content.decode())
    assert "It does not work any more: escalate by “Outage, switched off”." in page
    page = html.unescape(lead.post("/rules/import/", {"source": lead.get("/rules/export/").content.decode()}).content.decode())
    assert "Rule 1 (“whole”): conditions.all[0].value: “tin” is not one of the choices." in page


def test_what_a_change_did_is_asked_by_rules_of_changes_alone(lead):
    def offered(kind):
        return "changed to" in lead.post(f"/rules/new/?list={kind}", {"c0-field": "team", "action": "count"}).content.decode()

    assert offered("update") and not offered("create") and not offered("time")
    tree = json.dumps({"all": [{"field": "team", "op": "changed"}]})
    answer = write(lead, kind="create", source=tree)
    assert answer.status_code == 422 and "only rules for what changes" in answer.content.decode()
    row = {"name": "New", "list": "create", "conditions": json.loads(tree), "actions": {"priority": "high"}}
    sent = json.dumps({"twofold": "rules", "version": 1, "rules": [row]})
    assert "asks about a change" in lead.post("/rules/import/", {"source": sent}).content.decode()


def test_what_is_unfinished_or_cleared_is_never_taken_for_always(lead):
    answer = write(lead, source="  ")
    assert answer.status_code == 422 and "Say the conditions; {} is always." in answer.content.decode()
    page = lead.post("/rules/new/?list=create", {"c0-field": "subject", "c0-op": "is", "action": "to-json"}).content.decode()
    assert 'name="source"' not in page and 'id="c0-error"' in page


def test_a_file_brought_again_changes_nothing(lead, mia):
    keeping.save(Rule(kind="update"), Wording("Always", {}, {"add_tags": ["x"]}), by=mia)
    write(lead, name="typed", add_tags="money, money")
    assert Rule.objects.get(name="typed").version.actions["add_tags"] == ["money"]
    lead.post("/rules/import/", {"source": lead.get("/rules/export/").content.decode()})
    assert [rule.versions.count() for rule in Rule.objects.all()] == [1, 1]


def test_a_file_that_cannot_be_kept_says_so(lead):
    for wrong in ('"\\ud800"', "[" * 5000 + "]" * 5000, "1" * 5000):
        answer = lead.post("/rules/import/", {"source": '{"twofold": "rules", "rules": [' + wrong + "]}"})
        assert answer.status_code == 422 and "nested too deep, or holds" in answer.content.decode()


def test_a_rule_sets_custom_fields(lead, browser, ana, ticket, drain):
    for key, type, choices in (
        ("tier", "choice", ["gold", "tin"]),
        ("size", "number", []),
        ("paid", "boolean", []),
        ("until", "date", []),
    ):
        FieldDefinition.objects.create(subject="ticket", key=key, label=key.title(), type=type, choices=choices)
    drain()
    said = {"attribute_tier": "gold", "attribute_size": "2.5", "attribute_paid": "false", "source": URGENT, "priority": ""}
    wrong = write(lead, **said | {"attribute_size": "many"})
    assert wrong.status_code == 422 and "<details open>" in wrong.content.decode()
    assert write(lead, **said).status_code == 302
    rule = Rule.objects.get()
    assert rule.version.actions == {"attributes": {"tier": "gold", "size": 2.5, "paid": False}}
    page = lead.get(f"/rules/{rule.pk}/").content.decode()
    assert "set Paid to No" in page and "set Tier to gold" in page and "<details open>" in page
    lead.post(f"/rules/{rule.pk}/switch/", {"on": "1"})
    ticket.describe({"until": "2026-12-24"}, by=ana)
    ticket.tag(["down"], by=ana)
    drain()
    ticket.refresh_from_db()
    assert ticket.attributes == {"until": "2026-12-24", "tier": "gold", "size": 2.5, "paid": False}
    assert "Tier: – → gold" in browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
    text = lead.get("/rules/export/").content.decode()
    assert json.loads(text)["rules"][0]["actions"] == rule.version.actions
    FieldDefinition.objects.get(key="tier").delete()
    ticket.tag([], by=ana)
    ticket.tag(["down"], by=ana)
    drain()
    assert "There is no field attributes.tier." in RuleRun.objects.latest("pk").results[0]["error"]
    refused = lead.post("/rules/import/", {"source": text})
    assert refused.status_code == 422 and "There is no field attributes.tier." in refused.content.decode()


def test_a_rule_empties_custom_fields(lead, ana, ticket, drain):
    for key in ("device", "paid"):
        FieldDefinition.objects.create(subject="ticket", key=key, label=key.title(), type="text")
    ticket.describe({"device": "Phone", "paid": "no"}, by=ana)
    drain()
    said = {"source": URGENT, "priority": "", "emptied": ["device"]}
    wrong = write(lead, **said | {"attribute_device": "Tablet"})
    assert wrong.status_code == 422 and "Set it or empty it: Device" in wrong.content.decode()
    assert write(lead, **said | {"attribute_paid": "yes"}).status_code == 302
    rule = Rule.objects.get()
    assert rule.version.actions == {"attributes": {"paid": "yes", "device": None}}
    page = lead.get(f"/rules/{rule.pk}/")
    assert "empty Device" in page.content.decode() and page.context["form"]["emptied"].value() == ["device"]
    lead.post(f"/rules/{rule.pk}/switch/", {"on": "1"})
    ticket.tag(["down"], by=ana)
    drain()
    ticket.refresh_from_db()
    assert ticket.attributes == {"paid": "yes"}
    text = lead.get("/rules/export/").content.decode()
    assert lead.post("/rules/import/", {"source": text}).status_code == 302
    FieldDefinition.objects.get(key="device").delete()
    refused = lead.post("/rules/import/", {"source": text})
    assert refused.status_code == 422 and "There is no field attributes.device." in refused.content.decode()


def test_a_file_of_a_later_version_is_refused(lead):
    answer = lead.post("/rules/import/", {"source": '{"twofold": "rules", "version": 2, "rules": []}'})
    assert answer.status_code == 422 and "This is version 2 of such files" in answer.content.decode()


def test_a_trial_looks_at_all_that_happened_in_the_last_change(lead, ana, ticket, drain):
    drain()
    ticket.assign(ana, by=ana)  # who takes a new ticket also opens it, and that is told last
    drain()
    for kind, times in (("ticket.assigned", 1), ("ticket.status_changed", 1), ("ticket.escalated", 0)):
        page = write(lead, happened=[kind], source='{"all": []}', action="try").content.decode()
        assert f"It would have fired for {times} of the last ticket" in page


def test_a_lead_of_one_team_sees_no_tickets_of_others(lead, mia, ana, ticket, drain):
    drain()
    write(lead, source='{"all": []}')
    rule = Rule.objects.get()
    lead.post(f"/rules/{rule.pk}/switch/", {"on": "1"})
    ticket.tag(["down"], by=ana)
    drain()
    addresses = [f"/rules/{rule.pk}/met/", f"/rules/{rule.pk}/?try=1"]
    assert all(ticket.subject in lead.get(address).content.decode() for address in addresses)
    mia.reach = Reach.TEAM
    mia.save()
    assert not any(ticket.subject in lead.get(address).content.decode() for address in addresses)


def test_a_rule_that_was_switched_off_meanwhile_stays_off(lead, mia):
    write(lead)
    rule = Rule.objects.get()
    keeping.switch(rule, True, by=mia)
    shown = Rule.objects.get()
    keeping.switch(rule, False, by=mia)
    keeping.save(shown, Wording("Another name", {}, {"priority": "high"}), by=mia)
    assert not Rule.objects.get(name="Another name").is_enabled


def test_who_is_told_is_said_by_their_own_names(mia):
    team = Team.objects.create(name="Sales or Support", slug="sales")
    assert actions.words({"notify": {"people": [mia.pk], "team": team.pk}}) == "tell Mia Sandoval and Sales or Support"


def test_an_agent_may_not_write_rules(browser, ana):
    for address in ("/rules/", "/rules/new/", "/rules/export/", "/escalation/"):
        assert browser(ana).get(address).status_code == 403


def test_a_path_leads_from_one_to_the_next(lead, mia, ana):
    night = Team.objects.create(name="Night", slug="night")
    said = {"name": "Outage", "is_enabled": "on", "to0": f"user:{ana.pk}", "minutes0": "30", "to1": f"team:{night.pk}"}
    for _twice in range(2):
        lead.post("/escalation/new/", said)
    path = EscalationPath.objects.get()
    assert [(str(step), step.minutes) for step in path.steps.all()] == [("Ana Kowalczyk", 30), ("Night", None)]
    page = lead.get("/escalation/").content.decode()
    assert "after 30 minutes without an answer" in page
    lead.post(f"/escalation/{path.pk}/", {"name": "Outage", "is_enabled": "on", "to1": f"team:{night.pk}"})
    assert [str(step) for step in path.steps.all()] == ["Night"]
    assert AuditEntry.objects.filter(subject=path.ref).count() == 2
    assert "Say to whom a ticket goes first." in lead.post("/escalation/new/", {"name": "Empty"}).content.decode()


def test_a_rule_that_was_removed_in_another_window_is_not_written(lead):
    write(lead, source=URGENT)
    rule = Rule.objects.get()
    lead.post(f"/rules/{rule.pk}/remove/")
    late = lead.post(f"/rules/{rule.pk}/", {"action": "save", "name": "Other", "priority": "low", "source": URGENT})
    assert (
        late.status_code == 422 and "was archived meanwhile" in late.content.decode() and 'value="Other"' in late.content.decode()
    )
    assert Rule.objects.get().name == "Urgent goes to the top"


def test_a_tag_is_short(lead):
    wrong = write(lead, source=URGENT, add_tags="x" * 61)
    assert wrong.status_code == 422 and "A tag has at most 60 characters" in wrong.content.decode()


def test_a_rule_tells_people_in_words_that_name_the_ticket(lead, ana, mia, ticket, drain):
    drain()
    said = {
        "source": URGENT,
        "priority": "",
        "notify_people": [mia.pk],
        "notify_words": "#{{ ticket.number }} by {{ customer.name }}",
    }
    write(lead, **said)
    rule = Rule.objects.get()
    page = lead.get(f"/rules/{rule.pk}/").content.decode()
    assert "tell Mia Sandoval: “#{{ ticket.number }} by {{ customer.name }}”" in page
    lead.post(f"/rules/{rule.pk}/switch/", {"on": "1"})
    ticket.tag(["down"], by=ana)
    drain()
    assert f"#{ticket.number} by Ben Carter" in Notification.objects.get().words


def test_a_rule_writes_a_note_that_the_team_alone_reads(lead, browser, ana, ticket, sink, drain):
    drain()
    wrong = write(lead, source=URGENT, note="Ask {{ agent.name }}\r\n" + "first").content.decode()
    assert "A text knows nothing called “agent”" in wrong and "Ask {{ agent.name }}" in wrong
    assert "A note has at most 1000 characters." in write(lead, source=URGENT, note="x" * 1001).content.decode()
    write(lead, source=URGENT, priority="", note="**{{ customer.name }}** has #{{ ticket.number }}:\r\n\r\nask the night shift.")
    rule = Rule.objects.get()
    said = "write the note “**{{ customer.name }}** has #{{ ticket.number }}: ask the night shift.”"
    assert said in lead.get("/rules/").content.decode() and said in lead.get(f"/rules/{rule.pk}/").content.decode().lower()
    sent = lead.get("/rules/export/").content.decode()
    assert lead.post("/rules/import/", {"source": sent}).status_code == 302 and Rule.objects.get().versions.count() == 1
    lead.post(f"/rules/{rule.pk}/switch/", {"on": "1"})
    ticket.tag(["down"], by=ana)
    drain()
    page = browser(ana).get(f"/tickets/{ticket.number}/").content.decode()
    assert f"<strong>Ben Carter</strong> has #{ticket.number}:" in page and f"<b>Rule “{rule}”</b>" in page
    why = browser(ana).get(f"/tickets/{ticket.number}/rules/").content.decode()
    assert "Write the note “**{{ customer.name }}** has" in why
    assert "night shift" not in browser(ana).get(f"/tickets/{ticket.number}/print/").content.decode()
    assert ticket.messages.get(kind="note").author == f"Rule “{rule}”" and not sink


def test_a_path_that_is_off_says_so_in_the_rules_that_go_by_it(lead, mia):
    path = EscalationPath.objects.create(name="Outage", is_enabled=False)
    does = {"escalate": {"path": path.pk, "reason": "They lose data"}}
    keeping.save(Rule(kind="update"), Wording("Up", {}, does), by=mia)
    assert "escalate by “Outage, switched off”" in lead.get("/rules/").content.decode().replace("Escalate", "escalate")
