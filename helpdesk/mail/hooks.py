"""The providers' doors: which of django-anymail's views answers whom, and whether a request is who it says it is.

anymail knows each provider's signature and the shape of what it posts. Ours is the rest: a door without a secret is not
there at all, a request is bounded before it is read, and nobody who is refused learns why.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qsl

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.http import parse_header_parameters

from helpdesk.mail import provider_views

log = structlog.get_logger(__name__)
PARTS = ("inbound", "inbound_mime", "tracking")  # Mailgun posts the whole mail to an address that ends with "mime"
MAX_FIELDS = 1_000
OLDEST = 2 * 24 * 3600  # seconds; no provider tries that long


class NoDoor(Exception):
    """There is no such provider, or nothing that would prove who it is: the address leads nowhere."""


class Refused(Exception):
    """It is not the provider; 401 (``challenge``) where no credentials came at all, else 403."""

    def __init__(self, why: str, *, challenge: bool = False) -> None:
        super().__init__(why)
        self.challenge = challenge


class TooMuch(Exception):
    """More than a mail of MAIL_MAX_BYTES can be, in base64 and with all that is around it."""


class NotNow(Exception):
    """It cannot be done at the moment: the provider shall come again."""


class Misdirected(Exception):
    """The provider posts something else to this address: its words say what, and an operator mends it there."""


@dataclass
class Knock:
    """A request at a provider's door, known to be the provider's. ``fields`` are a form's, byte for byte."""

    provider: str
    view: Any
    request: HttpRequest
    fields: dict[str, bytes] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.request.body)


def providers() -> list[str]:
    """Every provider with a door, whether it is open or not."""
    return sorted({provider for provider, _part in provider_views.views()})


def door(provider: str, part: str) -> Any:
    """anymail's view, ready to be asked. Raises NoDoor, also where a key that would prove the sender is missing."""
    view_class = provider_views.views().get((provider, part.removesuffix("_mime")))
    if view_class is None or part not in PARTS:
        raise NoDoor
    try:
        view = view_class()
    except ImproperlyConfigured as error:  # a key, or a package, that this provider needs
        raise NoDoor from error
    if not view.basic_auth and view.warn_if_no_basic_auth:
        raise NoDoor
    return view


def admit(provider: str, part: str, request: HttpRequest) -> Knock:
    """The request, read and proved. Raises NoDoor, Refused, TooMuch."""
    from anymail.webhooks.base import AnymailBasicAuthMixin

    view = door(provider, part)
    try:
        if view.basic_auth and "Authorization" not in request.headers:
            raise Refused("no credentials", challenge=True)
        AnymailBasicAuthMixin.validate_request(view, request)  # by the headers alone, before anything is read
        knock = Knock(provider, view, request)
        _read(knock)
        view.run_validators(request)
        _recent(knock)
    except (Refused, TooMuch):
        raise
    except ImproperlyConfigured as error:  # a key that is only missed now
        raise NoDoor from error
    except Exception as error:  # whatever a stranger sends
        raise Refused(f"{type(error).__name__}: {error}"[:300]) from error
    return knock


def events(knock: Knock, *, mail: bool) -> list[Any]:
    """What anymail makes of the request: mail, or what became of ours. Raises NotNow, Misdirected, and whatever a foreign
    shape leads to."""
    from anymail.exceptions import AnymailAPIError, AnymailImproperlyInstalled

    try:
        found = [event for event in knock.view.parse_events(knock.request) if event is not None]
    except AnymailImproperlyInstalled as error:
        raise NotNow(str(error)) from error
    except ImproperlyConfigured as error:
        raise Misdirected(str(error)) from error
    except Exception as error:
        away = isinstance(error, provider_views.NotFetched | AnymailAPIError) or type(error).__module__.startswith("botocore")
        if away:  # some must be asked for the content, or told that we listen
            raise NotNow(str(error)) from error
        raise
    if any(hasattr(event, "message") != mail for event in found):  # one of them has one address for both
        raise Misdirected("Mail belongs to …/inbound/, and what became of mail to …/tracking/.")
    return found


def _read(knock: Knock) -> None:
    """The body and its form, within our limit: Django's is 2.5 MB for all fields together, and a mail is one field."""
    request, most = knock.request, settings.MAIL_MAX_BYTES * 3 // 2 + 1_000_000
    body = request.read(most + 1)
    if len(body) > most:
        raise TooMuch
    request._body = body
    form = QueryDict(mutable=True)
    files: MultiValueDict[str, Any] = MultiValueDict()
    if request.content_type == "multipart/form-data":
        boundary = str((request.content_params or {}).get("boundary", ""))
        for name, upload, content in _pieces(boundary.encode(), body):
            if upload is not None:
                files.appendlist(name, SimpleUploadedFile(upload[0], content, upload[1]))
            else:
                form.appendlist(name, content.decode("utf-8", "replace"))
                knock.fields[name] = content
    elif request.content_type == "application/x-www-form-urlencoded":
        said = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_FIELDS)
        for name, value in said:
            form.appendlist(name, value.encode("latin-1").decode("utf-8", "replace"))
            knock.fields[name] = value.encode("latin-1")
    form._mutable = False
    request._post, request._files = form, files  # type: ignore[attr-defined]


Upload = tuple[str, str]  # name and type of a file


def _pieces(boundary: bytes, body: bytes) -> Iterator[tuple[str, Upload | None, bytes]]:
    """The parts of a form (RFC 7578): name, file or not, content byte for byte. Raises ValueError."""
    if not boundary:
        raise ValueError("a form without a boundary")
    for count, piece in enumerate((b"\r\n" + body).split(b"\r\n--" + boundary)[1:]):
        if piece.startswith(b"--"):
            return
        if count >= MAX_FIELDS:
            raise ValueError("too many fields")
        head, _blank, content = piece.partition(b"\r\n\r\n")
        said = {
            name.strip().lower(): value.strip()
            for line in head.decode("utf-8", "replace").split("\r\n")
            for name, colon, value in [line.partition(":")]
            if colon
        }
        _kind, parameters = parse_header_parameters(said.get("content-disposition", ""))
        if "name" not in parameters:
            raise ValueError("a field without a name")
        upload = None
        if "filename" in parameters:
            name = PurePosixPath(parameters["filename"].replace("\\", "/")).name
            upload = (name if name not in ("", ".", "..") else "file", said.get("content-type", "application/octet-stream"))
        yield parameters["name"], upload, content


def _recent(knock: Knock) -> None:
    """Mailgun signs the time and not the content: a pair that somebody found in an old log opens nothing."""
    if knock.provider != "mailgun":
        return
    is_json = knock.request.content_type == "application/json"
    said = knock.json["signature"] if is_json else knock.request.POST
    if float(said["timestamp"]) < time.time() - OLDEST:
        raise Refused("its signature is too old")
