"""Who may let whom in, and what stays of it in the log."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from helpdesk.accounts import people
from helpdesk.accounts.models import ApiToken, AuditEntry, Role, Team, User
from helpdesk.lib import dates
from helpdesk.mail.models import Outgoing
from tests.conftest import PASSWORD

Browser = Callable[[User], Client]
PAGES = ["/people/", "/people/new/", "/teams/", "/teams/new/", "/tokens/", "/tokens/new/", "/audit/"]


@pytest.mark.parametrize("url", PAGES)
def test_only_admins_enter(browser: Browser, client: Client, ana: User, mia: User, omar: User, url: str) -> None:
    assert client.get(url).status_code == 302
    assert browser(ana).get(url).status_code == 403
    assert browser(mia).get(url).status_code == 403
    assert browser(mia).post(url).status_code in (403, 405)
    assert browser(omar).get(url).status_code == 200


def test_an_invitation_lets_a_person_set_a_password_once(
    browser: Browser, omar: User, drain: Any, sink: Any, client: Client
) -> None:
    said = {"name": "Nia", "email": "Nia@Nordwind.example", "role": "agent", "reach": "all"}
    page = browser(omar)
    assert page.post("/people/new/", said)["Location"] == "/people/"
    assert page.post("/people/new/", said).status_code == 422
    nia = User.objects.get(email="nia@nordwind.example")
    assert not nia.has_usable_password()
    assert not client.login(email=nia.email, password="")
    drain()
    [letter] = sink.to("nia@nordwind.example")
    link = re.search(r"https?://[^/\s]+(/accounts/password/reset/key/\S+)", letter.text)
    assert link
    form = client.get(link[1], follow=True)
    assert client.post(form.redirect_chain[-1][0], {"password1": PASSWORD, "password2": PASSWORD}).status_code == 302
    nia.refresh_from_db()
    assert nia.check_password(PASSWORD)
    again = Client().get(link[1], follow=True)
    assert again.context["token_fail"] is True and b'name="password1"' not in again.content
    assert AuditEntry.objects.get(action="person.added").after["email"] == nia.email


def test_nobody_gives_themselves_a_role(browser: Browser, ana: User) -> None:
    said = {"name": "Ana", "email": ana.email, "role": "admin", "reach": "all"}
    assert browser(ana).post(f"/people/{ana.pk}/", said).status_code == 403
    ana.refresh_from_db()
    assert ana.role == Role.AGENT


def test_a_change_is_logged_with_before_and_after_and_only_once(browser: Browser, omar: User, ana: User) -> None:
    team = Team.objects.create(name="Billing", slug="billing")
    said = {
        "name": "Ana K.",
        "email": ana.email,
        "role": "manager",
        "reach": "team",
        "teams": [team.pk],
        "is_active": "",
        "password": "x",
        "created_at": "2020-01-01",
    }
    for _ in range(2):
        assert browser(omar).post(f"/people/{ana.pk}/", said).status_code == 302
    ana.refresh_from_db()
    assert (ana.name, ana.role, ana.reach, ana.is_active) == ("Ana K.", "manager", "team", True)
    assert ana.check_password(PASSWORD)
    entry = AuditEntry.objects.get(action="person.changed")
    assert (entry.actor, entry.before["role"], entry.after["role"], entry.after["teams"]) == (
        omar.ref,
        "agent",
        "manager",
        ["Billing"],
    )
    assert "Ana K." in browser(omar).get("/audit/").content.decode()


def test_who_is_shut_out_is_out_at_the_next_click_with_their_tokens(browser: Browser, omar: User, mia: User) -> None:
    User.objects.filter(pk=mia.pk).update(role=Role.ADMIN)
    mia.refresh_from_db()
    token, text = people.issue_token("Billing", ["customers:read"], by=mia)
    hers = browser(mia)
    bearer = {"Authorization": f"Bearer {text}"}
    assert hers.get("/people/").status_code == 200
    assert Client().get("/api/v1/customers", headers=bearer).status_code == 200
    for _ in range(2):
        browser(omar).post(f"/people/{mia.pk}/out/")
    assert hers.get("/people/").status_code == 302
    assert Client().get("/api/v1/customers", headers=bearer).status_code == 401
    assert not Client().login(email=mia.email, password=PASSWORD)
    assert AuditEntry.objects.filter(action="person.shut_out").count() == 1
    browser(omar).post(f"/people/{mia.pk}/in/")
    mia.refresh_from_db()
    assert mia.is_active
    token.refresh_from_db()
    assert token.revoked_at


def test_the_last_admin_stays(browser: Browser, omar: User) -> None:
    said = {"name": "Omar", "email": omar.email, "role": "agent", "reach": "all"}
    answer = browser(omar).post(f"/people/{omar.pk}/", said)
    assert answer.status_code == 422
    assert "Nobody would be left" in answer.content.decode()
    browser(omar).post(f"/people/{omar.pk}/out/")
    omar.refresh_from_db()
    assert (omar.role, omar.is_active) == (Role.ADMIN, True)


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_shut_each_other_out_at_once_do_not_both_succeed() -> None:
    pair = [User.objects.create_user(f"{n}@one.example", name=n, role=Role.ADMIN) for n in "ab"]
    together = Barrier(2)

    def shut(n: int) -> bool:
        together.wait()
        try:
            people.shut_out(pair[n], by=pair[1 - n])
            return True
        except people.LastAdmin:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(shut, range(2))) == [False, True]
    assert User.objects.filter(is_active=True, role=Role.ADMIN).count() == 1


def test_teams_have_members_and_names_of_their_own(browser: Browser, omar: User, ana: User) -> None:
    page = browser(omar)
    assert page.post("/teams/new/", {"name": "日本", "members": [ana.pk]}).status_code == 302
    assert page.post("/teams/new/", {"name": "日本"}).status_code == 422
    assert page.post("/teams/new/", {"name": "中国"}).status_code == 302
    assert sorted(Team.objects.values_list("slug", flat=True)) == ["team", "team-2"]
    team = Team.objects.get(name="日本")
    page.post(f"/teams/{team.pk}/", {"name": "Japan"})
    assert list(team.members.all()) == []
    entry = AuditEntry.objects.get(action="team.changed")
    assert (entry.before["members"], entry.after["members"], entry.after["name"]) == ([ana.email], [], "Japan")
    team.members.add(ana)
    User.objects.filter(pk=ana.pk).update(is_active=False)
    page.post(f"/teams/{team.pk}/", {"name": "Night", "mode": "manual", "members": [omar.pk]})
    assert set(team.members.all()) == {omar, ana}  # let in again, she is where she was


def test_a_token_is_shown_once_and_kept_nowhere(browser: Browser, omar: User) -> None:
    page = browser(omar)
    said = {"name": "Billing sync", "scopes": ["events:write", "customers:read"]}
    answer = page.post("/tokens/new/", said)
    text = re.search(r"twofold_[\w-]{43}", answer.content.decode())
    assert text
    assert "no-store" in answer["Cache-Control"]
    assert page.post("/tokens/new/", said).status_code == 422  # the second of two clicks
    token = ApiToken.objects.get()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{text[0][12:]}%"])
            assert cursor.fetchone() == (0,), table
    assert text[0] not in page.get("/tokens/").content.decode()
    bearer = {"Authorization": f"Bearer {text[0]}"}
    assert Client().get("/api/v1/customers", headers=bearer).status_code == 200
    for _ in range(2):
        page.post(f"/tokens/{token.pk}/revoke/")
    assert Client().get("/api/v1/customers", headers=bearer).status_code == 401
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == ["token.issued", "token.revoked"]
    assert page.post("/tokens/new/", {"name": "None"}).status_code == 422
    for status in (200, 422):  # of one that is revoked or over its name is free, of one that opens something it is not
        assert page.post("/tokens/new/", {**said, "expires_on": "2100-01-01"}).status_code == status
    with dates.moved(to=datetime(2100, 1, 3, tzinfo=UTC)):
        page = browser(omar)
        assert page.post("/tokens/new/", said).status_code == 200
        listed = page.get("/tokens/").content.decode()
    assert listed.count("Expired") == 1 and listed.count(">Revoke<span") == 1 and listed.count("Billing sync<br>") == 3
    assert page.post("/tokens/new/", {**said, "name": "Late", "expires_on": "2020-01-01"}).status_code == 422


def test_hostile_names_are_harmless_in_the_log(browser: Browser, omar: User) -> None:
    people.add_person("x@one.example", "<script>alert(1)</script>", by=omar)
    html = browser(omar).get("/audit/").content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    assert browser(omar).get("/audit/", {"subject": "a\0b", "before": "x"}).status_code == 200


def test_the_log_turns_pages(browser: Browser, omar: User) -> None:
    for n in range(105):
        people.save_team(Team(), f"Team {n}", [], by=omar)
    page, seen, url = browser(omar), [], "/audit/"
    while url:
        answer = page.get(url)
        seen += [line["entry"].pk for line in answer.context["lines"]]
        url = f"/audit/{answer.context['older']}" if answer.context["older"] else ""
    assert len(seen) == len(set(seen)) == 105


# --- the command line ------------------------------------------------------------------------------------------------


def test_the_first_admin_comes_from_the_command_line(db: None, monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    monkeypatch.setenv("TWOFOLD_PASSWORD", PASSWORD)
    call_command("create_user", email="Omar@Nordwind.example", name="Omar")
    assert client.login(email="omar@nordwind.example", password=PASSWORD)
    assert User.objects.get().role == Role.ADMIN
    with pytest.raises(CommandError, match="works here already"):
        call_command("create_user", email="omar@nordwind.EXAMPLE", name="Omar")
    monkeypatch.setenv("TWOFOLD_PASSWORD", "password")
    with pytest.raises(CommandError, match="too common"):
        call_command("create_user", email="b@nordwind.example", name="B", role="agent")
    with pytest.raises(CommandError):
        call_command("create_user", email="no address", name="B")
    assert User.objects.count() == 1


# --- the second factor -----------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(settings: Any) -> None:
    settings.LOOPBACK = False


def test_without_a_second_factor_one_reaches_only_its_door(guarded: None, browser: Browser, ana: User) -> None:
    page = browser(ana)
    answer = page.get("/customers/")
    assert answer["Location"] == "/accounts/2fa/totp/activate/"
    assert page.get("/customers/", headers={"HX-Request": "true"})["HX-Redirect"] == "/accounts/2fa/totp/activate/"
    assert page.post("/customers/new/", {"emails": "x@one.example"}).status_code == 302
    assert page.get("/healthz").status_code in (200, 503)
    assert Client().get("/api/v1/customers").status_code == 401


def test_with_one_every_page_opens_and_without_it_again_none(guarded: None, browser: Browser, ana: User) -> None:
    from allauth.mfa.models import Authenticator

    factor = Authenticator.objects.create(user=ana, type=Authenticator.Type.TOTP, data={"secret": "x"})
    page = browser(ana)
    assert page.get("/customers/").status_code == 200
    factor.delete()
    assert page.get("/customers/").status_code == 302


def test_on_loopback_nobody_is_asked(browser: Browser, ana: User, settings: Any) -> None:
    settings.LOOPBACK = True
    assert browser(ana).get("/customers/").status_code == 200
    assert not Outgoing.objects.exists()
