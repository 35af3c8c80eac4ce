"""django-anymail's webhook views, with what they lack: a limit for what they fetch, and Resend's signature."""

import http.client
import json
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from helpdesk.lib import http as guarded

FETCHED_WITHIN = 10.0  # seconds for each thing that a provider is asked for; a page waits for none of it


@cache
def views() -> dict[tuple[str, str], Any]:
    """(provider, "inbound" or "tracking") → anymail's view, for everything that anymail itself routes."""
    from anymail import urls  # with all it needs, memory that only those pay who use it
    from anymail.exceptions import AnymailInsecureWebhookWarning, AnymailNotSupportedWarning
    from anymail.webhooks import brevo, mailtrap, resend

    for said_elsewhere in (AnymailInsecureWebhookWarning, AnymailNotSupportedWarning):  # such a door is shut; in our docs
        warnings.simplefilter("ignore", said_elsewhere)
    for module in (brevo, mailtrap, resend):  # they ask by `requests.get`, which waits for ever
        module.requests = SimpleNamespace(get=fetched)
    found = {}
    for pattern in urls.urlpatterns:
        provider, _, part = str(pattern.name).removesuffix("_webhook").rpartition("_")
        view = pattern.callback.view_class
        if provider == "sendinblue":  # what Brevo was called before
            continue
        name = (provider or "mandrill", part if provider else "inbound")  # Mandrill has one view for both
        found[name] = _signed(view) if provider == "resend" else view
    return found


# --- what a provider must be asked for --------------------------------------------------------------------------------


class NotFetched(OSError):
    """It did not answer as it should: later, perhaps."""


class Fetched:
    """What anymail reads of an answer."""

    def __init__(self, url: str, answer: guarded.Answer) -> None:
        self.url, self.status, self.headers, self.content = url, answer.status, answer.headers, answer.body

    def __enter__(self) -> "Fetched":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def raise_for_status(self) -> None:
        if self.status != 200:
            raise NotFetched(f"{urlsplit(self.url).hostname} answers {self.status}")

    def json(self) -> Any:
        return json.loads(self.content)

    def iter_content(self, chunk_size: int) -> Iterator[bytes]:
        return (self.content[start : start + chunk_size] for start in range(0, len(self.content), chunk_size))


def fetched(url: str, headers: Mapping[str, str] | None = None, stream: bool = False) -> Fetched:
    """Ask a provider by the guarded dialler, which ends a server that is silent or slow.

    Raises NotFetched where it may answer later, and ValueError for more than a mail may be: asking again gives the same.
    """
    most = settings.MAIL_MAX_BYTES * 3 // 2 + 1_000_000  # a mail in base64, and what is around it
    try:
        answer = guarded.request(
            "GET", url, headers=headers, ports=_ports(), private=settings.MAIL_PRIVATE_HOSTS, timeout=FETCHED_WITHIN, most=most
        )
    except guarded.TooMuch as error:
        raise ValueError(str(error)) from error
    except (OSError, http.client.HTTPException) as error:
        raise NotFetched(f"{urlsplit(url).hostname}: {error}") from error
    return Fetched(url, answer)


def _ports() -> set[int]:
    """The usual ones, and those of addresses that the operator gave (ANYMAIL_RESEND_API_URL)."""
    told = (value for name, value in settings.ANYMAIL.items() if name.endswith("_API_URL"))
    return {80, 443} | {port for url in told if (port := urlsplit(str(url)).port)}


# --- Resend's signature -----------------------------------------------------------------------------------------------


def _signed(view: Any) -> Any:
    """Resend's view, with its signature checked as what it is: a Standard Webhook under the older names of its headers.

    anymail would do it by the package svix, which brings ten more along.
    """
    from anymail.utils import get_anymail_setting
    from standardwebhooks import Webhook
    from standardwebhooks.webhooks import EmptyWebhookSecretError

    class Signed(view):
        def __init__(self, **kwargs: Any) -> None:
            name = self._secret_setting_name
            secret = get_anymail_setting(name, esp_name=self.esp_name, kwargs=kwargs, default=None)
            try:
                self.webhook = Webhook(secret) if secret else None
            except (ValueError, EmptyWebhookSecretError) as error:
                raise ImproperlyConfigured(f"ANYMAIL_RESEND_{name.upper()} is no secret of a webhook") from error
            super().__init__(**{**kwargs, name: None})
            self.warn_if_no_basic_auth = self.webhook is None

        def validate_request(self, request: HttpRequest) -> None:
            if self.webhook:
                said = {f"webhook-{name}": request.headers.get(f"svix-{name}", "") for name in ("id", "timestamp", "signature")}
                self.webhook.verify(request.body, said)

    return Signed
