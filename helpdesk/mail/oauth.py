"""Mailboxes whose provider takes no password: Microsoft 365 and Gmail, by OAuth2.

An admin signs in at the provider once (authorisation code with PKCE, RFC 6749 and 7636); what we keep is the refresh
token, sealed, and with it we fetch an access token whenever the last one is about to end.
"""

import http.client
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from oauthlib.oauth2 import OAuth2Error, WebApplicationClient

from helpdesk.accounts import vault
from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import User, audit
from helpdesk.lib import http as door
from helpdesk.lib.dates import now
from helpdesk.mail.models import Mailbox

EARLY = timedelta(minutes=5)  # before its end a token is renewed
UNSAID = 3600  # seconds a token is good for when the provider does not say
SECRETS = ["imap_secret", "provider", "signed_in_at", "access_secret", "access_until"]
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class SignInFailed(Exception):
    """The provider did not let us in; its text says so in words that an admin can act on."""


@dataclass(frozen=True)
class Begun:
    """A sign-in on its way: where the browser goes, and what its session keeps until it comes back."""

    url: str
    kept: dict[str, Any]


def providers() -> dict[str, dict[str, Any]]:
    """Those that this installation is registered with."""
    return {key: provider for key, provider in settings.MAIL_SIGN_IN.items() if provider["client_id"]}


def provider_of(box: Mailbox) -> dict[str, Any]:
    known = providers().get(box.provider)
    if known is None:
        raise SignInFailed(_("This installation is not registered with the provider any more (%s).") % box.provider)
    return known


# --- an admin signs in ------------------------------------------------------------------------------------------------


def begin(box: Mailbox, provider: str, *, back: str) -> Begun:
    """Send an admin to the provider; `back` is the address it returns to."""
    known = providers()[provider]
    client = WebApplicationClient(known["client_id"])
    state, verifier = secrets.token_urlsafe(32), client.create_code_verifier(64)
    url = client.prepare_request_uri(
        known["authorize"], redirect_uri=back, scope=known["scope"], state=state, login_hint=box.imap_user or box.address,
        code_challenge=client.create_code_challenge(verifier, "S256"), code_challenge_method="S256", **known["ask"],
    )  # fmt: skip
    return Begun(url, {"state": state, "verifier": verifier, "mailbox": box.pk, "provider": provider})


def answers(kept: Mapping[str, Any], said: Mapping[str, str]) -> bool:
    """Whether the browser that comes back is the one that was sent, and last (RFC 6749, 10.12)."""
    return bool(kept) and secrets.compare_digest(str(kept["state"]).encode(), said.get("state", "").encode())


def finish(kept: Mapping[str, Any], said: Mapping[str, str], *, back: str, by: User) -> Mailbox:
    """The provider sent an admin back with a code: exchange it, and keep what it gives. Raises SignInFailed."""
    known, box = providers().get(kept["provider"]), Mailbox.objects.filter(pk=kept["mailbox"]).first()
    if known is None or box is None:
        raise SignInFailed(_("The mailbox or its provider is not there any more."))
    if "code" not in said:
        raise SignInFailed(_refused(known, said.get("error_description") or said.get("error", "")))
    client = WebApplicationClient(known["client_id"])
    body = client.prepare_request_body(
        code=said["code"], redirect_uri=back, code_verifier=kept["verifier"], client_secret=known["client_secret"]
    )
    token = _ask(known, client, body)
    if not token.get("refresh_token"):
        raise SignInFailed(_("%s gave no refresh token: allow the app offline access.") % known["name"])
    return _signed_in(box, kept["provider"], token, by=by)


@transaction.atomic
def _signed_in(box: Mailbox, provider: str, token: Mapping[str, Any], *, by: User) -> Mailbox:
    """The token is for the provider's server and for no other."""
    box = Mailbox.objects.select_for_update(no_key=True).get(pk=box.pk)
    known = providers()[provider]
    before = {name: getattr(box, name) for name in ("provider", "imap_host", "imap_user")}
    box.imap_host, box.imap_port, box.imap_tls = known["imap_host"], known["imap_port"], True
    box.imap_user = box.imap_user if "@" in box.imap_user else box.address
    after = {"provider": provider, "imap_host": box.imap_host, "imap_user": box.imap_user}
    if (before["imap_host"], before["imap_user"]) != (box.imap_host, box.imap_user):
        box.begin_anew()
    box.provider, box.signed_in_at, box.last_error = provider, now(), ""
    box.imap_secret = vault.seal(token["refresh_token"])
    _take(box, token)
    box.save()
    audit("mailbox.signed_in", actor=by.ref, subject=f"mailbox:{box.pk}", before=before, after=after)
    return box


def sign_out(box: Mailbox) -> None:
    """It signs in by password again, or nowhere. The caller saves."""
    box.provider, box.signed_in_at, box.access_secret, box.access_until = "", None, b"", None


# --- and we go in and out ---------------------------------------------------------------------------------------------


def access_token(box: Mailbox) -> str:
    """A token that is good for some minutes more. Raises SignInFailed, or vault.Unreadable.

    One at a time: providers that give a new refresh token with every access token take the old one no more.
    """
    known = provider_of(box)
    with transaction.atomic():
        one_at_a_time(f"mailbox.access:{box.pk}")
        box.refresh_from_db(fields=["imap_secret", "access_secret", "access_until"])
        if box.access_until and box.access_until > now() + EARLY:
            return vault.unseal(box.access_secret)
        client = WebApplicationClient(known["client_id"])
        body = client.prepare_refresh_body(
            refresh_token=vault.unseal(box.imap_secret), client_id=known["client_id"], client_secret=known["client_secret"]
        )
        token = _ask(known, client, body)
        if token.get("refresh_token"):
            box.imap_secret = vault.seal(token["refresh_token"])
        _take(box, token)
        box.save(update_fields=["imap_secret", "access_secret", "access_until"])
    return str(token["access_token"])


def forget(box: Mailbox) -> None:
    """The server did not take the access token, whatever its age: fetch a new one the next time."""
    Mailbox.objects.filter(pk=box.pk).update(access_secret=b"", access_until=None)


def sasl(user: str, token: str) -> str:
    """What XOAUTH2 says first (Google's and Microsoft's mechanism; RFC 7628 is its standard form)."""
    return f"user={user}\1auth=Bearer {token}\1\1"


def _take(box: Mailbox, token: Mapping[str, Any]) -> None:
    box.access_secret = vault.seal(token["access_token"])
    box.access_until = now() + timedelta(seconds=token.get("expires_in") or UNSAID)


def _ask(known: dict[str, Any], client: WebApplicationClient, body: str) -> dict[str, Any]:
    """The token endpoint's answer. It is the operator's word, so its own host and port are allowed."""
    parts = urlsplit(known["token"])
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        answer = door.request(
            "POST", known["token"], body=body.encode(), headers=FORM, ports=[port], private=[parts.hostname or ""], timeout=15
        )
        if answer.status >= 500:
            raise OSError(f"HTTP {answer.status}")
        token: dict[str, Any] = client.parse_request_body_response(answer.body.decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException) as error:
        raise SignInFailed(_("%(name)s does not answer now: %(error)s") % {"name": known["name"], "error": error}) from error
    except OAuth2Error as error:
        raise SignInFailed(_refused(known, error.description or error.error)) from error
    except ValueError as error:
        raise SignInFailed(_refused(known, f"HTTP {answer.status}")) from error
    return token


def _refused(known: dict[str, Any], words: str) -> str:
    said = " ".join(words.split())[:300].rstrip(".")
    return _("%(name)s does not let us in: %(words)s Sign in again.") % {"name": known["name"], "words": f"“{said}”."}
