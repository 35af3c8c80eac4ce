"""Mail that leaves by a provider's HTTP API, through django-anymail's backend for that provider.

Amazon SES, Mailgun and Postal take a whole message: they get the bytes that we built and signed. The others get its
parts and put them together anew, with our addresses, texts, files and headers; the signature is theirs then, and a few
write their own Message-ID, so an answer is known by its Reply-To address. The return path is always the provider's: what
bounced is told by its webhook, for which the message's token goes along as metadata where the provider keeps such.

Imported only where MAIL_TRANSPORT names a provider: it brings an HTTP client along.
"""

import pkgutil
import re
from base64 import b64encode
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.utils import getaddresses
from typing import Any

import requests
from anymail import backends
from anymail.exceptions import AnymailAPIError, AnymailError, AnymailRecipientsRefused, AnymailUnsupportedFeature
from anymail.utils import get_anymail_setting
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives
from django.utils.module_loading import import_string
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from helpdesk.mail.transports import BREAKS, Handover

# What a provider writes itself; everything else of the head goes along as it is.
THEIRS = {"from", "to", "cc", "subject", "date", "mime-version", "content-type", "content-transfer-encoding", "dkim-signature"}
CONFIGURATION = {401, 402, 403, 404, 405}  # our key, our account, our address of the API: no message is to blame
LATER = {408, 409, 425, 429}
IN_DOUBT = {502, 504}  # somebody between us and the provider gave up: it may have taken the message
REFUSED = {"rejected", "invalid", "failed"}
OUR_MISTAKE = re.compile("AccountSuspended|SendingPaused|AccessDenied|NotVerified|Throttl|TooManyRequests|LimitExceeded")  # SES
TOKEN = re.compile(rb"^Message-ID: <([a-z2-7]{39})\.", re.IGNORECASE | re.MULTILINE)


def names() -> list[str]:
    """The providers that anymail can send by."""
    apart = {"base", "base_requests", "console", "test"}
    return sorted({module.name for module in pkgutil.iter_modules(backends.__path__)} - apart)


def backend_of(name: str) -> Any:
    """anymail's backend with our deadlines. Raises ImproperlyConfigured where a key is missing, or the name means nothing."""
    if name not in names():
        raise ImproperlyConfigured(f"MAIL_TRANSPORT: there is no provider {name!r}. There are: {', '.join(names())}")
    third = settings.MAIL_SMTP_TIMEOUT / 3  # to connect, to hand over, to answer
    if name == "amazon_ses":
        once = {"connect_timeout": third, "read_timeout": third, "retries": {"total_max_attempts": 1}}  # a second try is ours
        known = get_anymail_setting("client_params", esp_name="Amazon SES", kwargs={}, default={})
        options: dict[str, Any] = {"client_params": {**known, "config": {**known.get("config", {}), **once}}}
    else:
        options = {"timeout": (third, third)}
    whole = {"mailgun": _mailgun_backend, "postal": _postal_backend}.get(name)
    return (whole() if whole else import_string(f"anymail.backends.{name}.EmailBackend"))(**options)


class ProviderTransport:
    """One kept session with a provider's API."""

    def __init__(self, name: str) -> None:
        self.name, self.backend = name, backend_of(name)
        self.keeps_metadata = self._knows("metadata", {"outgoing": "x"})

    def _knows(self, attribute: str, value: Any) -> bool:
        probe = EmailMultiAlternatives("x", "x", "a@example.org", ["b@example.org"])
        setattr(probe, attribute, value)
        try:
            self.backend.build_message_payload(probe, {})
        except AnymailUnsupportedFeature:
            return False
        return True

    def send(self, envelope_from: str, recipients: list[str], raw: bytes) -> Handover:
        """Only an answer that names a fault of the message is a failure; what broke off after the request began is unknown."""
        if any(BREAKS.search(one) for one in recipients):
            return Handover("failed", answer="The address has a line break or another control character")
        message = Taken(envelope_from, recipients, raw)
        found = TOKEN.search(raw)
        if found and self.keeps_metadata:
            message.metadata = {"outgoing": found[1].decode()}  # type: ignore[attr-defined]
        try:
            self.backend.open()
            self.backend.send_messages([message])
        except AnymailRecipientsRefused as error:
            return Handover("failed", _status(error), f"{self.backend.esp_name} does not send to this address")
        except AnymailAPIError as error:
            self.close()
            return _judged(error, self.backend.esp_name)
        except AnymailError as error:  # what this provider cannot carry
            return Handover("failed", answer=_words(error))
        return self._accepted(message)

    def _accepted(self, message: Any) -> Handover:
        told = {address.lower(): one for address, one in message.anymail_status.recipients.items()}
        refused = [one for one in message.everybody if getattr(told.get(one.lower()), "status", "") in REFUSED]
        status = getattr(message.anymail_status.esp_response, "status_code", 200)
        if message.everybody[0] in refused or status >= 400:
            return Handover("failed", status, f"{self.backend.esp_name} does not send to this address")
        return Handover(
            "accepted", status, f"{self.backend.esp_name}: {message.anymail_status.message_id}"[:500], dict.fromkeys(refused, "")
        )

    def close(self) -> None:
        self.backend.close()


class Taken(EmailMultiAlternatives):
    """A message of ours in the shape that anymail takes, read back from its bytes; ``raw`` for those that take it whole."""

    def __init__(self, envelope_from: str, recipients: list[str], raw: bytes) -> None:
        self.raw, self.envelope_from, self.everybody = raw, envelope_from, recipients
        mail: Any = message_from_bytes(raw, policy=policy.default)
        shown = {address.lower() for _name, address in getaddresses(map(str, mail.get_all("cc", [])))}
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        super().__init__(
            subject=str(mail["subject"] or ""), body=text.get_content() if text else "", from_email=str(mail["from"]),
            to=recipients[:1], cc=[one for one in recipients[1:] if one.lower() in shown],
            bcc=[one for one in recipients[1:] if one.lower() not in shown],
            headers={name: str(value) for name, value in mail.items() if name.lower() not in THEIRS},
        )  # fmt: skip
        if html:
            self.attach_alternative(html.get_content(), "text/html")
        for part in mail.walk():
            if not part.is_multipart() and part not in (text, html):
                self.attachments.append(_file(part))

    def message(self, **_: Any) -> Any:
        """For Amazon SES, which hands over what this gives: the bytes that we built."""
        return Whole(self.raw)


class Whole(Message):
    """Written out it is these very bytes, below the fields that were set meanwhile: what we signed stays as it is."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.raw = raw

    def as_bytes(self, *_: Any, **__: Any) -> bytes:
        return "".join(f"{name}: {value}\r\n" for name, value in self.items()).encode() + self.raw


def _file(part: EmailMessage) -> Any:
    """A file by name, content and type; a picture that the HTML shows goes with its Content-ID."""
    content = part.get_payload(decode=True)
    if part.get_content_disposition() == "inline" and part["Content-ID"] and part.get_content_maintype() != "text":
        return part
    kind = part.get_content_type()
    if kind.startswith("text/") and not _is_utf8(content):
        kind = "application/octet-stream"  # which nobody decodes on the way
    return (part.get_filename() or "file", content, kind)


def _is_utf8(content: Any) -> bool:
    try:
        bytes(content).decode()
    except UnicodeDecodeError:
        return False
    return True


def _judged(error: AnymailAPIError, who: str) -> Handover:
    """What an error of the API means for the message."""
    status, words = _status(error), _words(error)
    if status is None:
        return Handover("retry" if _never_began(error) else "unknown", answer=words)
    if 200 <= status < 300 or status in IN_DOUBT:  # it took it, and said so in a way that nobody understands
        return Handover("unknown", status, words)
    if status in CONFIGURATION or OUR_MISTAKE.search(words):
        return Handover("retry", status, f"{who} does not let us send, look at its settings: {words}"[:500])
    if status in LATER or status >= 500:
        return Handover("retry", status, words)
    return Handover("failed", status, words)


def _status(error: Any) -> int | None:
    """The HTTP status of the answer, if there was one; Amazon's answer is a dictionary."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        code = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return code if isinstance(code, int) else None
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _never_began(error: Exception) -> bool:
    """Whether it broke before anything of the message was on its way: no address, no connection, no TLS, no key."""
    cause = error.__cause__
    if isinstance(cause, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return True
    reason = getattr(cause.args[0], "reason", None) if cause and cause.args else None
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return True
    names = (
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "NoRegionError",
        "SSLError",
    )
    return type(cause).__name__ in names


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:500]


# --- those that take a message whole ----------------------------------------------------------------------------------


def _mailgun_backend() -> Any:
    from anymail.backends.mailgun import EmailBackend, MailgunPayload

    class MimePayload(MailgunPayload):
        def get_api_endpoint(self) -> str:
            return f"{super().get_api_endpoint()}.mime"

        def get_request_params(self, api_url: str) -> dict[str, Any]:
            params: dict[str, Any] = super().get_request_params(api_url)
            apart = {name: value for name, value in params["data"].items() if name.startswith(("v:", "o:"))}
            params["data"] = {"to": self.message.everybody, **apart}
            params["files"] = [("message", ("message.eml", self.message.raw, "message/rfc822"))]
            return params

    class MimeBackend(EmailBackend):
        def build_message_payload(self, message: Any, defaults: Any) -> Any:
            return (MimePayload if isinstance(message, Taken) else MailgunPayload)(message, defaults, self)

    return MimeBackend


def _postal_backend() -> Any:
    from anymail.backends.postal import EmailBackend, PostalPayload

    class RawPayload(PostalPayload):
        def get_api_endpoint(self) -> str:
            return "api/v1/send/raw"

        def serialize_data(self) -> str:
            sender = self.message.envelope_from or settings.DEFAULT_FROM_ADDRESS  # it takes no empty one
            data = b64encode(self.message.raw).decode()
            said: str = self.serialize_json({"mail_from": sender, "rcpt_to": self.message.everybody, "data": data})
            return said

    class RawBackend(EmailBackend):
        def build_message_payload(self, message: Any, defaults: Any) -> Any:
            return (RawPayload if isinstance(message, Taken) else PostalPayload)(message, defaults, self)

    return RawBackend
