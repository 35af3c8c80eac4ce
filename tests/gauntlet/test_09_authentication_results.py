"""Row 9: "verified" is what our own mail server found; what a mail says about itself, or seems to be signed with, is nothing."""

from email.message import EmailMessage
from email.mime.application import MIMEApplication

import pytest

from tickets.models import Message

pytestmark = pytest.mark.django_db
FAIL = "mx.nordwind.example; dmarc=fail header.from=carter.example"
FORGED = "mx.nordwind.example; dmarc=pass header.from=carter.example; spf=pass smtp.mailfrom=carter.example"


def signed(mail: EmailMessage) -> EmailMessage:
    """With parts that call themselves signatures."""
    mail.add_attachment(
        b"-----BEGIN PGP SIGNATURE-----", maintype="application", subtype="pgp-signature", filename="signature.asc"
    )
    mail.attach(MIMEApplication(b"0\x80\x06", "pkcs7-signature", name="smime.p7s"))
    mail.replace_header("Content-Type", 'multipart/signed; protocol="application/pgp-signature"; micalg=pgp-sha256; boundary="b"')
    mail.set_boundary("b")
    return mail


def test_a_forged_result_under_ours_counts_for_nothing(post, letter, browser, ana, settings):
    settings.TRUSTED_AUTHSERV = ["mx.nordwind.example"]
    mail = signed(letter("Trust me.", Authentication_Results=FORGED))
    post(f"Authentication-Results: {FAIL}\n".encode() + mail.as_bytes())
    message = Message.objects.get()
    assert message.verified is False and message.text == "Trust me."
    page = browser(ana).get(f"/tickets/{message.ticket.number}/").content.decode().lower()
    assert "sender not verified" in page and "valid signature" not in page and "signed by" not in page


def test_who_is_not_named_is_not_asked(post, letter, settings):
    settings.TRUSTED_AUTHSERV = ["mx.nordwind.example"]
    post(letter("One", Authentication_Results=FORGED.replace("mx.nordwind", "ourhost")))
    settings.TRUSTED_AUTHSERV = []
    post(letter("Two", Authentication_Results=FORGED))
    assert list(Message.objects.values_list("verified", flat=True)) == [None, None]
