"""Mailboxes at a provider that takes no password: an admin signs in once, and tokens come and go by themselves."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client

from helpdesk.accounts import vault
from helpdesk.accounts.models import AuditEntry
from helpdesk.lib import dates
from helpdesk.mail import imap as client
from helpdesk.mail import oauth, transports
from helpdesk.mail.models import IncomingMail, Mailbox
from tests import chromium
from tests.mail.dovecot import Dovecot, Imap, free_port
from tests.mail.oauth_server import CLIENT, Provider
from tests.mail.test_imap import mail

pytestmark = pytest.mark.django_db
FORM = {
    "name": "Nordwind help",
    "address": "support@nordwind.example",
    "imap_port": "993",
    "imap_tls": "on",
    "imap_folder": "INBOX",
}


@pytest.fixture(scope="module")
def google() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.server.shutdown()


@pytest.fixture(scope="module")
def server(google: Provider) -> Iterator[Dovecot]:
    dovecot = Dovecot("oauth", introspect=f"{google.url}/introspect")
    try:
        dovecot.start()
        yield dovecot
    finally:
        dovecot.end()


@pytest.fixture
def provider(google: Provider, server: Dovecot, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The provider, and this installation registered there."""
    google.forget()
    known = {"name": "Google", "authorize": f"{google.url}/authorize", "token": f"{google.url}/token", "scope": "mail offline",
             "ask": {"access_type": "offline"}, "imap_host": "127.0.0.1", "imap_port": server.tls_port}  # fmt: skip
    settings.MAIL_SIGN_IN = {"google": {**known, **CLIENT}, "microsoft": {**settings.MAIL_SIGN_IN["microsoft"], "client_id": ""}}
    settings.MAIL_PORTS, settings.MAIL_PRIVATE_HOSTS = [993, server.tls_port], ["127.0.0.1"]
    settings.BASE_URL = "http://testserver"
    monkeypatch.setenv("SSL_CERT_FILE", str(server.run / "cert.pem"))
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # this provider has no certificate
    return google


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None


def visit(url: str) -> str:
    """At the provider, until it sends us back: where to."""
    try:
        urllib.request.build_opener(NoRedirect).open(url, timeout=10)
    except urllib.error.HTTPError as answer:
        return answer.headers["Location"]
    raise AssertionError("no redirect")


def sign_in(page: Client, address: str = "/mailboxes/new/", **more: str) -> Any:
    begun = page.post(address, {**FORM, **more, "then": "google"})
    assert begun.status_code == 302, begun.context["form"].errors
    return page.get(visit(begun["Location"]).removeprefix("http://testserver"))


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_an_admin_signs_in_and_mail_comes(browser: Any, omar: Any, provider: Provider, server: Dovecot) -> None:
    page = browser(omar)
    answer = sign_in(page)
    box = Mailbox.objects.get()
    assert answer["Location"] == f"/mailboxes/{box.pk}/" and said(answer)[-1].startswith("Signed in.")
    assert (box.imap_host, box.imap_port, box.imap_tls, box.imap_user) == ("127.0.0.1", server.tls_port, True, box.address)
    Imap(server, box.address).put(mail(1))
    assert client.fetch(box) == 1
    box.refresh_from_db()
    assert box.last_error == "" and IncomingMail.objects.count() == 1

    shown = page.get(f"/mailboxes/{box.pk}/").content.decode()
    assert "Signed in with Google as support@nordwind.example" in shown
    with connection.cursor() as cursor:  # a stolen dump opens no mailbox
        cursor.execute("SELECT string_agg(m::text, '') || (SELECT string_agg(a::text, '') FROM accounts_auditentry a) "
                       "FROM mail_mailbox m")  # fmt: skip
        dump = cursor.fetchone()[0]
    assert "canary" not in dump and b"canary".hex() not in dump and "canary" not in shown
    entry = AuditEntry.objects.get(action="mailbox.signed_in")
    assert entry.actor == omar.ref and entry.after["provider"] == "google"


def test_what_the_browser_is_sent_with_and_may_come_back_with(browser: Any, omar: Any, ana: Any, provider: Provider) -> None:
    page, other = browser(omar), browser(omar)
    begun = page.post("/mailboxes/new/", {**FORM, "then": "google"})
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begun["Location"]).query).items()}
    assert asked["redirect_uri"] == "http://testserver/mailboxes/signed-in/" and asked["access_type"] == "offline"
    assert len(asked["state"]) >= 40 and len(asked["code_challenge"]) == 43 and asked["login_hint"] == FORM["address"]
    assert provider.url in begun["Content-Security-Policy"], "the form's page says where it may lead"

    back = visit(begun["Location"]).removeprefix("http://testserver")
    code = parse_qs(urlsplit(back).query)["code"][0]
    for wrong in ("/mailboxes/signed-in/", f"/mailboxes/signed-in/?code={code}", f"/mailboxes/signed-in/?code={code}&state=%00ü"):
        assert said(page.get(wrong))[-1].startswith("This is not the sign-in that was begun here last")
    assert said(other.get(back))[-1].startswith("This is not"), "another browser, with the right state"
    assert browser(ana).get(back).status_code == 403 and page.post(back).status_code == 405
    assert not Mailbox.objects.get().provider and provider.asked == []
    assert said(page.get(back))[-1].startswith("Signed in.")
    assert said(page.get(back))[-1].startswith("This is not"), "twice"
    assert len(provider.asked) == 1


def test_a_stolen_code_is_of_no_use_without_the_verifier(browser: Any, omar: Any, provider: Provider) -> None:
    mine, theirs = browser(omar), browser(omar)
    code = parse_qs(urlsplit(visit(mine.post("/mailboxes/new/", {**FORM, "then": "google"})["Location"])).query)["code"][0]
    begun = theirs.post(f"/mailboxes/{Mailbox.objects.get().pk}/", {**FORM, "then": "google"})
    state = parse_qs(urlsplit(begun["Location"]).query)["state"][0]
    answer = theirs.get("/mailboxes/signed-in/", {"code": code, "state": state})
    assert "The code is not good" in said(answer)[-1] and not Mailbox.objects.get().provider


def test_whoever_says_no_is_told_so_and_nothing_changes(browser: Any, omar: Any, provider: Provider) -> None:
    provider.consents = False
    page = browser(omar)
    answer = sign_in(page)
    assert said(answer)[-1] == "Google does not let us in: “The <b>admin</b> said no”. Sign in again."
    assert "The &lt;b&gt;admin&lt;/b&gt; said no" in page.get(answer["Location"]).content.decode()
    assert not Mailbox.objects.get().provider


def test_a_token_is_renewed_before_it_ends_and_only_then(browser: Any, omar: Any, provider: Provider, server: Dovecot) -> None:
    sign_in(browser(omar))
    box = Mailbox.objects.get()
    first = oauth.access_token(box)
    assert oauth.access_token(box) == first and len(provider.asked) == 1
    with dates.moved(by=timedelta(minutes=56)):
        second = oauth.access_token(box)
        assert second != first and oauth.access_token(Mailbox.objects.get()) == second
    assert [one["grant_type"] for one in provider.asked] == ["authorization_code", "refresh_token"]
    with dates.moved(by=timedelta(hours=3)):  # with the refresh token that came with the second: each is good for once
        assert oauth.access_token(box) not in (first, second)
    assert client.fetch(box) == 0 and Mailbox.objects.get().last_error == ""


def test_a_token_that_the_server_does_not_take_is_renewed(browser: Any, omar: Any, provider: Provider) -> None:
    sign_in(browser(omar))
    box = Mailbox.objects.get()
    provider.access.clear()  # somebody signed all apps out
    client.fetch(box)
    assert Mailbox.objects.get().last_error.startswith("It does not let support@nordwind.example in")
    client.fetch(box)
    assert Mailbox.objects.get().last_error == "" and len(provider.asked) == 2


def test_what_is_wrong_is_said_beside_the_mailbox(browser: Any, omar: Any, provider: Provider) -> None:
    page = browser(omar)
    sign_in(page)
    box = Mailbox.objects.get()
    provider.refresh.clear()
    with dates.moved(by=timedelta(hours=2)):
        client.fetch(box)
    words = "Google does not let us in: “The refresh token was revoked”. Sign in again."
    assert words in page.get("/mailboxes/").content.decode() and words in page.get(f"/mailboxes/{box.pk}/").content.decode()
    assert words in page.get("/operations/").content.decode()
    provider.down = True
    with dates.moved(by=timedelta(hours=2)):
        client.fetch(box)
    assert Mailbox.objects.get().last_error == "Google does not answer now: HTTP 503"
    provider.down = False
    sign_in(page, f"/mailboxes/{box.pk}/", imap_host=box.imap_host, imap_user=box.imap_user, imap_port=str(box.imap_port))
    assert Mailbox.objects.get().last_error == ""


def test_somebody_elses_account_is_not_let_in(browser: Any, omar: Any, provider: Provider) -> None:
    provider.user = "mia@nordwind.example"
    sign_in(browser(omar))
    box = Mailbox.objects.get()
    assert client.fetch(box) == 0
    assert Mailbox.objects.get().last_error.startswith("It does not let support@nordwind.example in")


def test_the_token_is_told_to_no_other_server_and_a_password_takes_its_place(browser: Any, omar: Any, provider: Provider) -> None:
    page = browser(omar)
    sign_in(page)
    box = Mailbox.objects.get()
    facts = {**FORM, "imap_host": box.imap_host, "imap_user": box.imap_user, "imap_port": str(box.imap_port)}
    elsewhere = page.post(f"/mailboxes/{box.pk}/", {**facts, "imap_host": "imap.attacker.example"})
    assert elsewhere.status_code == 422 and "was given for another server" in elsewhere.content.decode()
    assert page.post(f"/mailboxes/{box.pk}/", {**facts, "name": "Help"}).status_code == 302
    assert Mailbox.objects.get().provider == "google"
    assert page.post(f"/mailboxes/{box.pk}/", {**facts, "password": "secret"}).status_code == 302
    box = Mailbox.objects.get()
    assert (box.provider, box.signed_in_at, bytes(box.access_secret)) == ("", None, b"")
    assert vault.unseal(box.imap_secret) == "secret" and client.fetch(box) == 0 and Mailbox.objects.get().last_error == ""


def test_without_a_registration_there_is_no_such_button(browser: Any, omar: Any, provider: Provider) -> None:
    shown = browser(omar).get("/mailboxes/new/").content.decode()
    assert "Sign in with Google" in shown and "Microsoft" not in shown
    assert browser(omar).post("/mailboxes/new/", {**FORM, "then": "microsoft"})["Location"] == "/mailboxes/"


@pytest.mark.django_db(transaction=True)
def test_in_a_browser_the_policy_lets_the_form_lead_there_and_back(
    omar: Any, provider: Provider, settings: Any, tmp_path: Path
) -> None:
    complaints: list[str] = []
    with chromium.site(tmp_path) as address, chromium.running() as browser:
        settings.BASE_URL = address
        context = browser.new_context(base_url=address)
        chromium.sign_in(context, chromium.session_of(omar), address)
        page = chromium.page_in(context, complaints)
        page.goto("/mailboxes/new/")
        page.get_by_label("Name", exact=True).fill("Nordwind help")
        page.get_by_label("Address").fill("support@nordwind.example")
        page.get_by_role("button", name="Sign in with Google").click()
        page.wait_for_selector("text=Signed in with Google as support@nordwind.example")
        assert complaints == [] and page.url == f"{address}/mailboxes/{Mailbox.objects.get().pk}/"


class Smtp:
    """A mail server that takes tokens only."""

    def __init__(self, provider: Provider) -> None:
        self.provider, self.taken = provider, 0

    async def auth_XOAUTH2(self, server: SMTP, words: list[str]) -> AuthResult:
        import base64

        user, token = base64.b64decode(words[1]).decode().removeprefix("user=").rstrip("\1").split("\1auth=Bearer ")
        known = self.provider.access.get(token, ("", 0))[0]
        if known == user:
            return AuthResult(success=True)
        await server.push("334 " + base64.b64encode(b'{"status":"401"}').decode())
        await server._reader.readline()
        return AuthResult(success=False, handled=False)

    async def handle_DATA(self, *_: Any) -> str:
        self.taken += 1
        return "250 OK"


def test_mail_leaves_by_the_same_sign_in(browser: Any, omar: Any, provider: Provider) -> None:
    sign_in(browser(omar))
    handler, port = Smtp(provider), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port, auth_require_tls=False, auth_required=True)
    controller.start()
    try:
        line = transports.SmtpTransport(f"smtp://support%40nordwind.example@127.0.0.1:{port}/?auth=oauth2")
        sent = line.send("a@nordwind.example", ["ben@carter.example"], b"Subject: Hello\r\n\r\nHello\r\n")
        assert (sent.outcome, handler.taken) == ("accepted", 1)
        line.close()
        provider.access.clear()
        refused = line.send("a@nordwind.example", ["ben@carter.example"], b"Subject: Hello\r\n\r\nHello\r\n")
        assert refused.outcome == "retry"
        assert line.send("a@nordwind.example", ["ben@carter.example"], b"Subject: x\r\n\r\n").outcome == "accepted", "a new token"
        line.close()
        provider.access.clear()
        provider.refresh.clear()
        oauth.forget(Mailbox.objects.get())
        gone = line.send("a@nordwind.example", ["ben@carter.example"], b"Subject: x\r\n\r\n")
        assert gone.outcome == "retry" and "Google does not let us in" in gone.answer
        stranger = transports.SmtpTransport(f"smtp://nobody%40nordwind.example@127.0.0.1:{port}/?auth=oauth2")
        assert "signed in" in stranger.send("a@n.example", ["b@c.example"], b"x").answer
    finally:
        controller.stop()
