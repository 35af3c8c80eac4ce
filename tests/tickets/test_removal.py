"""What is set up is removed: what names it holds it, what history names is archived and comes back, the rest is deleted."""

import re
from datetime import timedelta

import pytest

from helpdesk.accounts import people, removal, seen
from helpdesk.accounts.models import ApiToken, AuditEntry, Skill, Team
from helpdesk.customers import definitions
from helpdesk.customers.models import Company, FieldDefinition, Segment
from helpdesk.incidents.models import Incident
from helpdesk.knowledge.models import Answer
from helpdesk.lib import conditions
from helpdesk.lib.dates import now
from helpdesk.mail.models import Mailbox
from outreach.models import Campaign, Version
from tickets import assignment, escalation, intake, search
from tickets.models import (
    EscalationPath,
    EscalationStep,
    Policy,
    RuleTimer,
    RuleVersion,
    SavedView,
    TicketForm,
)

pytestmark = pytest.mark.django_db


def leaf(field, value, op="is"):
    return {"field": field, "op": op, "value": value}


def of_tickets(tree):
    return {"field": "ticket", "op": "has", "where": tree}


@pytest.fixture
def billing(db, ana):
    team = Team.objects.create(name="Billing", slug="billing", mode="round_robin")
    team.members.add(ana)
    return team


@pytest.fixture
def plan(db):
    return FieldDefinition.objects.create(subject="customer", key="plan", label="Plan", type="text")


@pytest.fixture
def device(db):
    return FieldDefinition.objects.create(subject="ticket", key="device", label="Device", type="text")


def held(page, url):
    """What the page of a removal names, and that nothing is removed meanwhile."""
    shown = page.get(url).content.decode()
    refused = page.post(url)
    assert refused.status_code == 409 and "Nothing was removed" in refused.content.decode()
    assert "Archive it" not in shown and "Delete it" not in shown
    named = shown.partition('<ul class="uses">')[2].partition("</ul>")[0]
    return re.findall(r'<li>(?:<a class="link" href="[^"]*">)?([^<]*)', named)


def test_whatever_names_a_team_holds_it(browser, omar, billing, ben, rule):
    of_it = leaf("team", billing.pk)
    intake.open_ticket(ben, "Card", intake.Words("declined"), channel="mail", team=billing)
    Mailbox.objects.create(name="Bills", slug="bills", address="bills@nordwind.example", team=billing)
    TicketForm.objects.create(name="Refunds", slug="refunds", team=billing)
    Policy.objects.create(name="Quick", position=1, conditions={"not": of_it})
    SavedView.objects.create(name="Theirs", team=billing)
    SavedView.objects.create(
        name="Any", place=1, conditions={"any": [leaf("priority", "high"), leaf("team", [billing.pk], "any_of")]}
    )
    SavedView.objects.create(name="Own", owner=omar, conditions=of_it)
    Segment.objects.create(name="Payers", conditions={"all": [of_tickets(of_it)]})
    Incident.objects.create(title="Down", conditions=of_tickets(of_it))
    EscalationStep.objects.create(path=EscalationPath.objects.create(name="Loss"), position=0, team=billing)
    Version.objects.create(campaign=Campaign.objects.create(name="Hello"), number=1, conditions=of_tickets(of_it))
    rule("create", {}, name="Move", team=billing.pk)
    rule("create", {}, name="Tell", notify={"team": billing.pk})
    rule("update", of_it, name="Ask", on=False, priority="high")
    found = held(browser(omar), f"/teams/{billing.pk}/remove/")
    assert sorted(found) == sorted(
        [
            "Open tickets: 1", "Mailbox “Bills”", "Form “Refunds”", "Policy “Quick”", "View “Theirs”", "View “Any”",
            "Segment “Payers”", "Incident “Down”", "Path of escalation “Loss”", "Campaign “Hello”",
            "Rule “Move”", "Rule “Tell”", "Rule “Ask”",
        ]
    )  # fmt: skip
    billing.refresh_from_db()
    assert billing.archived_at is None


def test_a_team_with_history_is_archived_and_offered_nowhere_and_comes_back(browser, omar, ana, ben, billing, support, drain):
    usual = support.team
    ticket = intake.open_ticket(ben, "Card", intake.Words("declined"), channel="mail", mailbox=support, team=billing)
    ticket.solve(by=ana)
    page, url = browser(omar), f"/teams/{billing.pk}/remove/"
    shown = page.get(url).content.decode()
    assert "Tickets that are solved or closed: 1. They stay in it." in shown and "1 member is in one team less" in shown
    for _ in range(2):  # pressed twice
        assert page.post(url).status_code == 302
    entry = AuditEntry.objects.get(action="team.archived")
    assert (entry.subject, entry.before, entry.actor) == (billing.ref, {"name": "Billing"}, omar.ref)
    assert "Archived" in page.get("/teams/").content.decode()
    for address in (
        "/teams/new/",
        "/people/new/",
        "/rules/new/?list=create",
        "/forms/new/",
        "/escalation/new/",
        "/views/new/",
        "/who/",
    ):
        assert "Billing" not in page.get(address).content.decode(), address
    assert page.post("/teams/new/", {"name": "billing"}).status_code == 422  # its name is its own
    with pytest.raises(search.QueryError, match="Billing"):
        search.find(ana, "team:Billing")
    assert conditions.words(leaf("team", billing.pk), "ticket") == "team is Billing"  # what asked for it can be read
    page.post(f"/people/{ana.pk}/", {"name": "Ana", "email": ana.email, "role": "agent", "reach": "team", "teams": [usual.pk]})
    assert browser(ana).get(f"/tickets/{ticket.number}/").status_code == 200  # its members read its history
    ticket.refresh_from_db()
    ticket.reopen(by=ben)
    drain()
    ticket.refresh_from_db()
    assert ticket.team == usual  # what is work again is nobody's without it
    billing.refresh_from_db()
    following = intake.open_ticket(ben, "Again", intake.Words("x"), channel="mail", mailbox=support, team=billing)
    assert following.team == usual
    assert "Bring it back" in page.get(f"/teams/{billing.pk}/").content.decode()
    for _ in range(2):
        assert page.post(f"/teams/{billing.pk}/restore/").status_code == 302
    assert AuditEntry.objects.filter(action="team.restored").count() == 1
    assert "Billing" in page.get("/rules/new/?list=create").content.decode() and ana in billing.members.all()


def test_a_team_that_nothing_names_is_deleted(browser, omar, billing):
    page, url = browser(omar), f"/teams/{billing.pk}/remove/"
    token, _text = people.issue_token("Sync", ["tickets:read"], by=omar, team=billing, expires_at=now() + timedelta(days=1))
    assert held(page, url) == ["API token “Sync”"]
    ApiToken.objects.filter(pk=token.pk).update(expires_at=now())  # it opens nothing any more, and is history
    assert "Archive it" in page.get(url).content.decode()
    token.delete()
    assert "deleted for good" in page.get(url).content.decode()
    for _ in range(2):
        assert page.post(url).status_code == 302
    assert not Team.objects.exists() and AuditEntry.objects.filter(action="team.removed", subject=billing.ref).count() == 1


def test_whatever_names_a_field_holds_it(browser, omar, plan, device, ben, rule):
    rule("create", leaf("customer.plan", "pro"), name="Ask", priority="high")
    SavedView.objects.create(name="Pro", conditions={"all": [{"not": leaf("customer.plan", "pro")}]})
    Segment.objects.create(name="Pros", conditions=leaf("attribute.plan", "pro"))
    Answer.objects.create(title="Hello", body="You are on {{ customer.plan }}.")
    Answer.objects.create(title="Other", body="{{ customer.planned }} customer plan")
    campaign = Campaign.objects.create(name="Upgrade")
    Version.objects.create(campaign=campaign, number=1, steps=[{"do": "send", "subject": "{{ customer.plan }}", "body": ""}])
    over = Campaign.objects.create(name="Over", status="finished", klass="transactional")
    Version.objects.create(campaign=over, number=1, conditions=leaf("attribute.plan", "pro"))
    found = held(browser(omar), f"/fields/{plan.pk}/remove/")
    assert sorted(found) == sorted(["Rule “Ask”", "View “Pro”", "Segment “Pros”", "Answer “Hello”", "Campaign “Upgrade”"])
    rule("create", {}, name="Set", attributes={"device": "Phone"})
    form = TicketForm.objects.create(name="Parts", slug="parts", questions=[{"key": "x", "when": "device"}])
    SavedView.objects.create(name="Rows", place=1, columns=["attribute.device"])
    found = held(browser(omar), f"/fields/{device.pk}/remove/")
    assert sorted(found) == ["Form “Parts”", "Rule “Set”"]
    form.delete()
    assert FieldDefinition.objects.filter(archived_at=None).count() == 2


def test_a_field_with_values_is_archived_and_its_values_stay(browser, omar, ana, device, plan, ticket, ben, rule):
    ticket.describe({"device": "Phone"}, by=ana)
    ben.attributes = {"plan": "pro", "team_size": 5}
    ben.save()
    former = rule("create", leaf("attribute.device", "Phone"), priority="high")
    removal.remove(former, by=omar)
    page = browser(omar)
    assert "Tickets with a value in it: 1." in page.get(f"/fields/{device.pk}/remove/").content.decode()
    for field in (device, plan):
        assert page.post(f"/fields/{field.pk}/remove/").status_code == 302
        assert AuditEntry.objects.get(action="field.archived", subject=field.ref).before == {"name": field.label}
    assert page.get("/fields/").content.decode().count("Archived") == 2
    ticket.refresh_from_db()
    assert ticket.attributes == {"device": "Phone"}
    for address in (f"/tickets/{ticket.number}/properties/", "/rules/new/?list=create", "/forms/new/", "/views/new/"):
        assert "Device" not in page.get(address).content.decode(), address
    told = page.get(f"/tickets/{ticket.number}/").content.decode() + page.get(f"/customers/{ben.pk}/").content.decode()
    assert (
        ">plan<" not in told.lower() and "Team size" in told and "team_size" in told
    )  # unseen under any name; what nobody named is as it was
    for text in ("device:Phone", "attribute.device:Phone", "customer.plan:pro", "has:device"):
        with pytest.raises(search.QueryError):
            search.find(ana, text)
    with pytest.raises(conditions.ConditionError):
        conditions.clean(leaf("attribute.device", "Phone"), "ticket")
    again = Incident.objects.create(title="Over", conditions=leaf("attribute.plan", "pro"))  # of then, opened once more
    assert "Plan is pro" in page.get("/incidents/").content.decode()
    shown = page.get(f"/incidents/{again.pk}/")
    assert shown.status_code == 200 and "attribute.plan" in shown.content.decode()
    shown = page.get(f"/rules/{former.pk}/")
    assert shown.status_code == 200 and "attribute.device" in shown.content.decode()
    version = RuleVersion.objects.get()  # history is read as it was
    assert conditions.words(version.conditions, "ticket") == "Device is Phone"
    assert page.post("/fields/new/", {"subject": "ticket", "label": "device", "key": "other", "type": "text"}).status_code == 422
    page.post(f"/fields/{device.pk}/restore/")
    assert "Phone" in page.get(f"/tickets/{ticket.number}/").content.decode()
    assert list(search.find(ana, "device:Phone")) == [ticket]


def test_a_field_nobody_ever_filled_in_is_deleted_and_its_key_is_free(browser, omar, device):
    page = browser(omar)
    assert page.post(f"/fields/{device.pk}/remove/").status_code == 302
    said = {"subject": "ticket", "label": "Device", "key": "device", "type": "number"}
    assert page.post("/fields/new/", said).status_code == 302 and FieldDefinition.objects.get().type == "number"


def test_a_choice_is_taken_out_of_a_field_once_somebody_saw_what_names_it(browser, omar, ana, ticket, rule):
    tier = FieldDefinition.objects.create(
        subject="ticket", key="tier", label="Tier", type="choice", choices=["Gold", "Tin", "Clay"]
    )
    ticket.describe({"tier": "Tin"}, by=ana)
    of_it = {"any": [leaf("attribute.tier", "Tin"), leaf("attribute.tier", ["Gold", "Tin"], "any_of")]}
    rule("create", leaf("attribute.tier", "Tin"), name="Ask", priority="high")
    rule("create", leaf("attribute.tier", "Gold"), name="Set", attributes={"tier": "Tin"})
    rule("create", leaf("attribute.tier", "Gold"), name="Other", priority="high")
    Policy.objects.create(name="Quick", position=1, conditions=of_it)
    SavedView.objects.create(name="Tins", conditions={"not": of_it})
    SavedView.objects.create(name="Own", owner=ana, conditions=of_it)
    TicketForm.objects.create(name="Parts", slug="parts", questions=[{"key": "x", "when": "tier", "values": ["Tin"]}])
    Segment.objects.create(name="Theirs", conditions=of_tickets(of_it))
    page, url = browser(omar), f"/fields/{tier.pk}/"
    typed = {"label": "Tier of it", "hint": "", "options": "Gold\nSteel"}  # Clay goes too, which nothing names
    asks = page.post(url, typed)
    shown = asks.content.decode()
    tier.refresh_from_db()
    assert asks.status_code == 409 and tier.choices == ["Gold", "Tin", "Clay"] and "Steel</textarea>" in shown
    assert [choice for choice, _uses in asks.context["asks"]] == ["Tin"]
    named = re.findall(r'<li>(?:<a class="link" [^>]*>)?([^<]*)', shown.partition("Tin</h3>")[2].partition("</ul>")[0])
    assert sorted(named) == sorted([
        "Rule “Ask”", "Rule “Set”", "Policy “Quick”", "View “Tins”", "Form “Parts”", "Segment “Theirs”",
        "Tickets that have it: 1. They keep it.",
        "1 view that somebody made for themselves asks for it: it finds what has it by now, and nothing new.",
    ])  # fmt: skip
    sure = re.search(r'name="sure" value="(\w+)"', shown).group(1)
    assert page.post(url, typed | {"options": "Steel", "sure": sure}).status_code == 409  # agreed to Tin, not to Gold
    for _twice in range(2):
        assert page.post(url, typed | {"sure": sure}).status_code == 302
    tier.refresh_from_db()
    assert tier.choices == ["Gold", "Steel"] and AuditEntry.objects.filter(subject=tier.ref).count() == 1
    assert page.post(url, typed | {"options": "Gold"}).status_code == 302  # Steel, which nothing names, goes without a word


def test_of_one_of_several_choices_of_a_customer(browser, omar, ben):
    FieldDefinition.objects.create(subject="ticket", key="likes", label="Likes", type="multi", choices=["a", "b"])
    likes = FieldDefinition.objects.create(subject="customer", key="likes", label="Likes", type="multi", choices=["a", "b"])
    ben.attributes = {"likes": ["a", "b"]}
    ben.save()
    Incident.objects.create(title="Down", conditions=leaf("attribute.likes", ["b"], "any_of"))
    asks = browser(omar).post(f"/fields/{likes.pk}/", {"label": "Likes", "options": "a"})
    ((choice, found),) = asks.context["asks"]
    assert (choice, {use.words for use in found}) == ("b", {"Customers that have it: 1. They keep it.", "Incident “Down”"})


def test_of_a_company_field(browser, omar):
    field = FieldDefinition.objects.create(subject="company", key="tier", label="Tier", type="text")
    Segment.objects.create(name="Gold", conditions=leaf("company.tier", "gold"))
    Company.objects.create(name="Acme", attributes={"tier": "gold"})
    view = SavedView.objects.create(name="Golden", conditions=leaf("company.tier", "gold"))
    assert sorted(held(browser(omar), f"/fields/{field.pk}/remove/")) == ["Segment “Gold”", "View “Golden”"]
    Segment.objects.all().delete()
    view.delete()
    browser(omar).post(f"/fields/{field.pk}/remove/")
    field.refresh_from_db()
    assert field.archived_at


def test_a_skill_goes_once_nobody_has_it(browser, omar, ana):
    skill = Skill.objects.create(name="German", languages=["de"], tags=["dach"])
    ana.skills.add(skill)
    page, url = browser(omar), f"/skills/{skill.pk}/remove/"
    assert held(page, url) == ["Ana Kowalczyk has it"]
    ana.skills.clear()
    assert "Tickets in German or with the tags dach can be given to everybody" in page.get(url).content.decode()
    for _ in range(2):
        assert page.post(url).status_code == 302
    assert not Skill.objects.exists() and AuditEntry.objects.filter(action="skill.removed").count() == 1


def test_a_path_that_was_taken_is_archived(browser, mia, ana, ticket, rule):
    page, path = browser(mia), EscalationPath.objects.create(name="Loss")
    unused = EscalationPath.objects.create(name="Unused")
    for each in (path, unused):
        EscalationStep.objects.create(path=each, position=0, user=ana, minutes=10)
    EscalationStep.objects.create(path=path, position=1, user=mia)
    made = rule("create", {}, name="Escalate", escalate={"path": path.pk, "reason": "x"})
    assert held(page, f"/escalation/{path.pk}/remove/") == ["Rule “Escalate”"]
    removal.remove(made, by=mia)
    escalation.escalate(ticket, path, "They lose data", by=ana)
    shown = page.get(f"/escalation/{path.pk}/remove/").content.decode()
    assert "Tickets that wait for its next step: 1. It does not come." in shown and "Steps that were taken: 1." in shown
    for each in (path, unused):
        assert page.post(f"/escalation/{each.pk}/remove/").status_code == 302
    kept = EscalationPath.objects.get()
    assert kept == path and kept.archived_at and not kept.is_enabled and kept.steps.count() == 2
    assert "Loss" not in page.get(f"/tickets/{ticket.number}/escalate/").content.decode().split("<h2")[0]
    assert "Loss" not in page.get("/rules/new/?list=create").content.decode()
    page.post(f"/escalation/{path.pk}/", {"name": "Loss", "is_enabled": "on", "to0": f"user:{ana.pk}"})
    kept.refresh_from_db()
    assert kept.steps.count() == 1 and not kept.is_enabled  # away, it cannot be switched on
    page.post(f"/escalation/{path.pk}/restore/")
    kept.refresh_from_db()
    assert kept.archived_at is None and not kept.is_enabled  # back, and off until somebody switches it on


def test_a_rule_is_archived_with_all_that_it_did_and_comes_back_off(browser, mia, ana, ben, rule, drain):
    made = rule("create", {}, name="Hurry", priority="high")
    later = rule("time", {}, name="Later", since="opened", minutes=60, priority="urgent")
    ticket = intake.open_ticket(ben, "Card", intake.Words("declined"), channel="mail")
    drain()
    page, url = browser(mia), f"/rules/{made.pk}/remove/"
    shown = page.get(url).content.decode()
    assert "It is on: no ticket meets it any more" in shown and "Times that it fired: 1." in shown and "Archive it" in shown
    assert "Tickets whose time is still to come: 1. It does not come." in page.get(f"/rules/{later.pk}/remove/").content.decode()
    made.refresh_from_db()
    assert made.is_enabled and made.archived_at is None  # asked, and nothing done
    for each in (made, later):
        for _twice in range(2):
            assert page.post(f"/rules/{each.pk}/remove/").status_code == 302
        assert AuditEntry.objects.filter(subject=each.ref, action="rule.archived").count() == 1
    made.refresh_from_db()
    assert made.archived_at and not made.is_enabled and not RuleTimer.objects.exists()
    assert "Hurry" in page.get(f"/tickets/{ticket.number}/rules/").content.decode()  # why it did what it did
    shown = page.get(f"/rules/{made.pk}/").content.decode()
    assert "Bring it back" in shown and "archived it" in shown and "Remove</a>" not in shown
    rule("create", {}, name="First")
    for _twice in range(2):
        assert page.post(f"/rules/{made.pk}/restore/").status_code == 302
    made.refresh_from_db()
    assert (made.archived_at, made.is_enabled, made.position) == (None, False, 2)  # the last of its list
    assert AuditEntry.objects.filter(subject=made.ref, action="rule.restored").count() == 1


def test_a_rule_does_not_come_back_beside_a_new_one_of_its_name(browser, mia, rule):
    former = rule("create", {}, name="Hurry", priority="high")
    page = browser(mia)
    page.post(f"/rules/{former.pk}/remove/")
    rule("create", {}, name="Hurry", priority="low")  # its name is free
    shown = page.post(f"/rules/{former.pk}/restore/", follow=True).content.decode()
    former.refresh_from_db()
    assert "There is another “Hurry” by now" in shown and former.archived_at


def test_what_is_work_again_leaves_an_archived_team_and_its_people(browser, ben, ana, support, drain):
    support.team.mode = "round_robin"
    support.team.save()
    old = Team.objects.create(name="Old", slug="old")
    old.members.add(ana)
    support.team.members.remove(ana)
    ticket = intake.open_ticket(ben, "x", intake.Words("y"), channel="mail", mailbox=support, team=old)
    ticket.assign(ana, by=ana)
    ticket.solve(by=ana)
    old.put_away()
    ticket.set_status("pending", by=ana)
    drain()
    ticket.refresh_from_db()
    assert (ticket.team, ticket.assignee) == (support.team, None)


def test_a_form_that_is_saved_and_a_removal_take_turns(browser, omar, monkeypatch):
    """A colleague presses *Delete it* while another form of it is being saved: one waits for the other."""
    field = FieldDefinition.objects.create(subject="ticket", key="device", label="Device", type="text")
    names: list[str] = []
    monkeypatch.setattr(removal, "one_at_a_time", names.append)
    monkeypatch.setattr(seen, "one_at_a_time", names.append)
    browser(omar).post(f"/fields/{field.pk}/", {"label": "Devices", "hint": ""})
    browser(omar).post(f"/fields/{field.pk}/remove/")
    assert names == [f"form:{field.ref}"] * 2


def test_an_archived_field_takes_nothing_new_and_nothing_that_it_could_not_hold(omar):
    field = FieldDefinition.objects.create(subject="customer", key="seats", label="Seats", type="number")
    field.put_away()
    assert definitions.misfits("customer", {"seats": "many"}) == {"seats": "attributes.seats must be a number."}
    assert definitions.misfits("customer", {"seats": 5}) == {}
    assert "There is no field" in definitions.misfits("customer", {"seats": 5}, strict=True)["seats"]


def test_a_path_that_comes_back_keeps_its_step_to_an_archived_team(browser, mia, ana):
    team, path = Team.objects.create(name="Night", slug="night"), EscalationPath.objects.create(name="Outage")
    EscalationStep.objects.create(path=path, position=0, team=team, minutes=10)
    EscalationStep.objects.create(path=path, position=1, user=ana)
    path.put_away()
    team.put_away()
    removal.restore(path, by=mia)
    page = browser(mia)
    shown = page.get(f"/escalation/{path.pk}/").context["form"]
    said = {bound.html_name: bound.value() for bound in shown if bound.value() not in (None, False)}
    assert page.post(f"/escalation/{path.pk}/", said | {"name": "Outages"}).status_code == 302
    assert list(path.steps.values_list("team", "user")) == [(team.pk, None), (None, ana.pk)]


def test_a_count_stops_at_ninety_nine(db):
    Company.objects.bulk_create(Company(name=f"C{n}") for n in range(101))
    assert removal.Count.of(Company.objects.all()) == (100, "99+") and assignment.hand_out() == 0
