"""What a message says: values, text and headers of a batch, and what must be right before it may ever be sent."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from liquid.exceptions import LiquidError

from helpdesk.customers.models import Address, Customer
from helpdesk.lib import dates, signing
from helpdesk.mail.models import Outgoing
from helpdesk.mail.verdicts import Content, Missing
from outreach.letters import Frame, Letter, fill, letter
from outreach.liquid import BadTemplate, BrokenText, MissingValue, check, without_empty
from outreach.models import Version

Values = dict[str, Any]
UNSUBSCRIBE = "unsubscribe"  # the kind of its tokens


def render(rows: list[Outgoing]) -> dict[int, Content | Missing]:
    """Every message's text; one query for the versions, two for the customers."""
    versions = Version.objects.select_related("campaign__subscription").in_bulk({row.version_id for row in rows})
    people = facts_of({row.customer_id for row in rows if row.customer_id})
    written: dict[int, Content | Missing] = {}
    for row in rows:
        version = versions[row.version_id or 0]
        try:
            written[row.pk] = _render(row, version, people.get(row.customer_id or 0, {}))
        except (BrokenText, LiquidError) as error:
            written[row.pk] = Missing(_("Not sent: its text could not be written (%s)") % error)
            version.campaign.halt(str(error))
        except MissingValue as error:
            written[row.pk] = Missing(_("Not sent: nobody knows %s") % error)
    return written


def _render(row: Outgoing, version: Version, person: Values) -> Content:
    step = version.steps[int(row.step)]
    url = unsubscribe_url(row) if row.subscription_id else ""
    values = row.variables.get("values") or {**person, "event": row.variables.get("event", {})}
    with as_reader(values) as language:
        subject, text, html = compose(version, step, language).write(complete(step, values, url))
    headers = {}
    if url:
        # RFC 8058: one HTTPS address, and this exact second header; DKIM signs both
        headers = {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return Content(subject, text, html, headers=headers)


@contextmanager
def as_reader(values: Values) -> Iterator[str]:
    """Dates and numbers as this customer writes them; gives the language, ours where we do not speak theirs."""
    code = str(values.get("customer", {}).get("language", "")).split("-")[0].lower()
    language = code if code in {known for known, _name in settings.SPOKEN_LANGUAGES} else settings.LANGUAGE_CODE
    with translation.override(language), timezone.override(dates.zone(values.get("zone"), settings.TIME_ZONE)):
        yield language


def compose(version: Version, step: Mapping[str, Any], language: str) -> Letter:
    """The compiled letter of one step. Its frame is the campaign's, with the address as it stood at the launch."""
    subscription = version.campaign.subscription
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


def facts_of(customers: Iterable[int]) -> dict[int, Values]:
    """What messages may say about these customers; their own attributes lie beside the built-in ones."""
    ids = set(customers)
    emails = {}
    for owner, shown in (
        Address.objects.filter(customer__in=ids, channel="email")
        .order_by("is_primary", "-pk")
        .values_list("customer_id", "shown")
    ):
        emails[owner] = shown
    found = {}
    for customer in Customer.objects.select_related("company").filter(pk__in=ids):
        company = customer.company
        found[customer.pk] = {
            "customer": {
                **customer.attributes,
                "name": customer.name,
                "first_name": first_name(customer.name),
                "email": emails.get(customer.pk, ""),
                "language": customer.language,
                "stage": customer.stage,
            },
            "company": {**company.attributes, "name": company.name} if company else {},
            "zone": customer.zone or (company.zone if company else ""),
        }
    return found


def first_name(name: str) -> str:
    """The first word of "Ben Carter"; of "Carter, Ben" the first after the comma."""
    last, comma, first = name.partition(",")
    words = (first if comma else last).split()
    return words[0] if words else ""


def unsubscribe_url(row: Outgoing) -> str:
    return settings.BASE_URL + reverse("unsubscribe", args=[signing.token(UNSUBSCRIBE, row.pk)])


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
            made = compose(version, step, language)
            subject, text, _page = made.write(whole)
            return {"subject": subject, "text": text, "html": fill(made.body, whole), "missing": ""}
    except MissingValue as error:
        return {"subject": "", "text": "", "html": "", "missing": str(error)}
