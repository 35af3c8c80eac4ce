"""An admin sets up where mail arrives; the password goes in and never comes out."""

import pytest
from django.db import connection

from helpdesk.accounts import vault
from helpdesk.accounts.models import AuditEntry
from helpdesk.mail.mailboxes import MailboxForm
from helpdesk.mail.models import Mailbox

pytestmark = pytest.mark.django_db
FORM = {
    "name": "Billing help",
    "address": "Billing@Nordwind.example",
    "imap_host": "imap.nordwind.example",
    "imap_port": "993",
    "imap_tls": "on",
    "imap_user": "billing",
    "password": "s3cret of the mailbox",
    "imap_folder": "INBOX",
    "signature": "",
}


def test_a_mailbox_is_added_once_and_its_password_is_sealed(browser, omar):
    page = browser(omar)
    assert page.post("/mailboxes/new/", FORM).status_code == 302
    again = page.post("/mailboxes/new/", FORM)
    assert again.status_code == 422 and Mailbox.objects.count() == 1
    box = Mailbox.objects.get()
    assert box.address == "billing@nordwind.example" and vault.unseal(box.imap_secret) == FORM["password"]
    shown = page.get(f"/mailboxes/{box.pk}/").content + page.get("/mailboxes/").content + page.get("/audit/").content
    assert b"s3cret" not in shown and bytes(box.imap_secret) not in shown
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(a::text, '') FROM accounts_auditentry a")
        assert "s3cret" not in cursor.fetchone()[0]


def test_a_save_without_a_password_keeps_it_and_one_with_it_is_told(browser, omar):
    page = browser(omar)
    page.post("/mailboxes/new/", FORM)
    box = Mailbox.objects.get()
    Mailbox.objects.update(uidvalidity=7, last_uid=42)
    assert page.post(f"/mailboxes/{box.pk}/", {**FORM, "password": "", "name": "Billing"}).status_code == 302
    box.refresh_from_db()
    assert (box.name, box.last_uid, vault.unseal(box.imap_secret)) == ("Billing", 42, FORM["password"])
    page.post(f"/mailboxes/{box.pk}/", {**FORM, "imap_host": "other.example", "password": "new"})
    box.refresh_from_db()
    assert (box.last_uid, box.uidvalidity, vault.unseal(box.imap_secret)) == (0, None, "new"), (
        "another server's numbers begin anew"
    )
    assert AuditEntry.objects.filter(action="mailbox.changed").latest("id").after["has_new_password"] is True


def test_a_new_password_alone_is_kept_and_told(browser, omar):
    page = browser(omar)
    page.post("/mailboxes/new/", FORM)
    box = Mailbox.objects.get()
    page.post(f"/mailboxes/{box.pk}/", {**FORM, "password": "only this changed"})
    box.refresh_from_db()
    assert (
        vault.unseal(box.imap_secret) == "only this changed" and AuditEntry.objects.filter(action="mailbox.changed").count() == 1
    )


def test_there_is_one_usual_sender(browser, omar, support):
    browser(omar).post("/mailboxes/new/", {**FORM, "is_default": "on"})
    assert list(Mailbox.objects.filter(is_default=True).values_list("slug", flat=True)) == ["billing-help"]


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"address": "nobody"}, "address"),
        ({"imap_user": ""}, "Say who signs in"),
        ({"password": ""}, "Give the password"),
        ({"imap_port": "99999999"}, "port"),
    ],
)
def test_what_is_wrong_is_said_beside_it_and_nothing_is_lost(browser, omar, wrong, words):
    answer = browser(omar).post("/mailboxes/new/", {**FORM, **wrong})
    assert answer.status_code == 422 and words in answer.content.decode() and "Billing help" in answer.content.decode()
    assert not Mailbox.objects.exists()


@pytest.mark.parametrize("who", ["ana", "mia"])
def test_only_admins_come_in(browser, request, who, client):
    assert browser(request.getfixturevalue(who)).get("/mailboxes/").status_code == 403
    assert client.get("/mailboxes/").status_code == 302


def test_the_connection_is_tested_and_the_answer_is_in_words(browser, omar, imap):
    page, facts = (
        browser(omar),
        {**FORM, "imap_host": "127.0.0.1", "imap_port": str(imap.port), "imap_user": imap.user, "imap_tls": ""},
    )

    def tried(address, **more):
        answer = page.post(address, {**facts, **more, "then": "test"})
        assert answer.status_code == 302
        return page.get(answer["Location"]).content.decode()

    assert f"does not let {imap.user} in: [AUTHENTICATIONFAILED]" in tried("/mailboxes/new/")
    here = f"/mailboxes/{Mailbox.objects.get().pk}/"
    assert f"127.0.0.1 lets {imap.user} in." in tried(here, password="secret")
    assert "does not open the folder Nowhere" in tried(here, password="", imap_folder="Nowhere")
    assert "There is no IMAP server to connect to." in tried(here, imap_host="", password="")
    assert imap.flags() == [], "nothing was fetched"


@pytest.mark.parametrize("change", [{"imap_host": "imap.attacker.example"}, {"imap_port": "143"}, {"imap_tls": ""}])
def test_a_password_is_told_to_no_other_server(browser, omar, change):
    """Whoever may change where mail is fetched does not thereby learn the password that somebody else gave."""
    page = browser(omar)
    page.post("/mailboxes/new/", FORM)
    box = Mailbox.objects.get()
    answer = page.post(f"/mailboxes/{box.pk}/", {**FORM, "password": "", **change})
    assert answer.status_code == 422 and "was given for another server" in answer.content.decode()
    assert page.post(f"/mailboxes/{box.pk}/", {**FORM, "password": "anew", **change}).status_code == 302


def test_a_save_does_not_undo_what_happened_while_the_form_was_read(browser, omar, monkeypatch):
    """Mail is fetched and tokens are renewed meanwhile; only what the form names is written."""
    page = browser(omar)
    page.post("/mailboxes/new/", FORM)
    box = Mailbox.objects.get()
    clean = MailboxForm.clean

    def slow(form):
        Mailbox.objects.update(uidvalidity=7, last_uid=42, access_secret=b"renewed")
        return clean(form)

    monkeypatch.setattr(MailboxForm, "clean", slow)
    assert page.post(f"/mailboxes/{box.pk}/", {**FORM, "password": "", "name": "Billing"}).status_code == 302
    box.refresh_from_db()
    assert (box.name, box.uidvalidity, box.last_uid, bytes(box.access_secret)) == ("Billing", 7, 42, b"renewed")


def test_without_a_server_no_secret_is_kept(browser, omar):
    page = browser(omar)
    page.post("/mailboxes/new/", FORM)
    box = Mailbox.objects.get()
    page.post(f"/mailboxes/{box.pk}/", {**FORM, "imap_host": "", "password": ""})
    box.refresh_from_db()
    assert bytes(box.imap_secret) == b""
