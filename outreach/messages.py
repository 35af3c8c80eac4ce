"""What a message says: values, text and headers of a batch, and what must be right before it may ever be sent."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from liquid.exceptions import LiquidError

from helpdesk.customers import values as known
from helpdesk.customers.models import Subscription
from helpdesk.customers.values import Values
from helpdesk.lib import dates, liquid, signing
from helpdesk.lib.liquid import BadTemplate, BrokenText, MissingValue, without_empty
from helpdesk.mail.models import Outgoing
from helpdesk.mail.verdicts import Content, Missing
from outreach.letters import Frame, Letter, fill, letter
from outreach.models import Campaign, Version

ROOTS = ("customer", "company", "event", "workspace")
ALWAYS_THERE = {"customer.email", "workspace.name", "unsubscribe_url"}
check = partial(liquid.check, roots=ROOTS, always=ALWAYS_THERE)
UNSUBSCRIBE = "unsubscribe"  # the kind of its tokens
SPOKEN = {code for code, _name in settings.SPOKEN_LANGUAGES}


def render(rows: list[Outgoing]) -> dict[int, Content | Missing]:
    """Every message's text; one query for the customers' addresses, and one for versions that were not read before."""
    versions = Version.objects.kept(row.version_id for row in rows)
    people = known.of({row.customer_id: row.customer for row in rows if row.customer_id and row.customer})
    readers: dict[tuple[str, ZoneInfo], list[tuple[Outgoing, Values]]] = defaultdict(list)
    for row in rows:
        values = row.variables.get("values") or {**people.get(row.customer_id or 0, {}), "event": row.variables.get("event", {})}
        readers[_reader(values)].append((row, values))
    written: dict[int, Content | Missing] = {}
    lost: dict[int, Exception] = {}
    for (language, zone), theirs in readers.items():
        with translation.override(language), timezone.override(zone):
            for row, values in theirs:
                try:
                    written[row.pk] = _render(row, versions[row.version_id or 0], values, language)
                except (MissingValue, LiquidError) as error:
                    lost[row.pk] = error
    return written | {row.pk: _lost(versions[row.version_id or 0], lost[row.pk]) for row in rows if row.pk in lost}


def _lost(version: Version, error: Exception) -> Missing:
    """Why a message is not sent, in our language, not in its reader's. A text that is broken would fail for all: it halts."""
    if isinstance(error, MissingValue) and not isinstance(error, BrokenText):
        return Missing(_("Not sent: nobody knows %s") % error)
    Campaign(pk=version.campaign_id).halt(str(error))
    return Missing(_("Not sent: its text could not be written (%s)") % error)


def _render(row: Outgoing, version: Version, values: Values, language: str) -> Content:
    step = version.steps[int(row.step)]
    url = unsubscribe_url(row) if row.subscription_id else ""
    subject, text, html = compose(version, step, language, row.subscription).write(complete(step, values, url))
    headers = {}
    if url:
        # RFC 8058: one HTTPS address, and this exact second header; DKIM signs both
        headers = {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return Content(subject, text, html, headers=headers)


def _reader(values: Values) -> tuple[str, ZoneInfo]:
    """As whom one reads: how dates and numbers are written, in our language where we do not speak theirs."""
    code = str(values.get("customer", {}).get("language", "")).split("-")[0].lower()
    return code if code in SPOKEN else settings.LANGUAGE_CODE, dates.zone(values.get("zone"), settings.TIME_ZONE)


@contextmanager
def as_reader(values: Values) -> Iterator[str]:
    """Dates and numbers as this customer writes them; gives the language."""
    language, zone = _reader(values)
    with translation.override(language), timezone.override(zone):
        yield language


def compose(version: Version, step: Mapping[str, Any], language: str, subscription: Subscription | None) -> Letter:
    """The compiled letter of one step. Its frame is the campaign's, with the address as it stood at the launch."""
    frame = Frame(
        settings.WORKSPACE_NAME,
        version.postal_address or settings.POSTAL_ADDRESS,
        subscription.name if subscription else "",
        language,
    )
    return letter(step["subject"], step["body"], frame)


def complete(step: Mapping[str, Any], values: Values, unsubscribe: str = "") -> Values:
    """The values with the step's fallbacks where something is not known."""
    whole: Values = without_empty({**values, "workspace": {"name": settings.WORKSPACE_NAME}})
    for path, text in step.get("fallbacks", {}).items():
        *parents, name = path.split(".")
        at = whole
        for parent in parents:
            at = at.setdefault(parent, {})
            if not isinstance(at, dict):
                break
        else:
            at.setdefault(name, text)
    whole["unsubscribe_url"] = unsubscribe
    return whole


def unsubscribe_url(row: Outgoing) -> str:
    return settings.BASE_URL + _unsubscribe_path() % signing.token(UNSUBSCRIBE, row.pk)


@cache
def _unsubscribe_path() -> str:
    """The path with its place for the token: looked up once, not for every message."""
    mark = "x" * 39
    return reverse("unsubscribe", args=[mark]).replace("%", "%%").replace(mark, "%s")


def faults(step: Mapping[str, Any]) -> list[str]:
    """What is wrong with a step's words, for the one who writes them; an unfinished draft may have these."""
    found = []
    for name in ("subject", "body"):
        try:
            check(step.get(name, ""))
        except BadTemplate as error:
            found.append(str(error))
    return found


def gaps(step: Mapping[str, Any], entry_key: str = "") -> list[str]:
    """Values that may be missing at the send and for which nothing else is said: publication asks for each."""
    given = {path for path, text in step.get("fallbacks", {}).items() if str(text).strip()}
    given |= {f"event.{entry_key}"} if entry_key else set()
    uses = [use for name in ("subject", "body") for use in check(step.get(name, ""))]
    return list(dict.fromkeys(use.path for use in uses if not use.has_default and use.path not in given))


def with_samples(step: Mapping[str, Any], values: Values, entry_key: str) -> Values:
    """For a preview or a test: what only an event could say stands in brackets by its name, where none is known yet."""
    paths = {use.path for name in ("subject", "body") for use in check(step.get(name, "")) if not use.has_default}
    names = {path for path in paths | {f"event.{entry_key}"} if path.startswith("event.") and path != "event."}
    samples = {path: f"[{path.removeprefix('event.')}]" for path in names if path not in step.get("fallbacks", {})}
    return complete({"fallbacks": samples}, values) | {"zone": values.get("zone", "")}


def preview(version: Version, step: Mapping[str, Any], values: Values) -> dict[str, str]:
    """Subject and HTML body as this customer will read them; ``missing`` says what nobody knows. Raises BadTemplate."""
    for name in ("subject", "body"):
        check(step.get(name, ""))
    whole = complete(step, values, unsubscribe=settings.BASE_URL)
    try:
        with as_reader(values) as language:
            made = compose(version, step, language, version.campaign.subscription)
            subject, text, _page = made.write(whole)
            return {"subject": subject, "text": text, "html": fill(made.body, whole), "missing": ""}
    except MissingValue as error:
        return {"subject": "", "text": "", "html": "", "missing": str(error)}
