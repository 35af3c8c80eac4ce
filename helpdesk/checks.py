"""The tables of dotted strings in settings are imported at start-up, so that a misspelt name stops the start."""

from collections.abc import Iterator
from importlib import import_module

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from helpdesk.files import antivirus
from helpdesk.mail import transports


def dotted_names() -> Iterator[tuple[str, str]]:
    """(table, dotted name) for everything the settings' tables point to."""
    for kind, names in settings.EVENT_SUBSCRIBERS.items():
        yield from ((f"EVENT_SUBSCRIBERS[{kind!r}]", name) for name in names)
    for kind, half in settings.OUTBOX.items():
        yield from ((f"OUTBOX[{kind!r}]", half[part]) for part in ("guard", "render"))
    for table in ("HOLDS", "HEALTH", "LIVE_CHANNELS"):
        yield from ((f"{table}[{key!r}]", name) for key, name in getattr(settings, table).items())
    yield from ((f"LOOKUPS[{noun!r}]", way[part]) for noun, way in settings.LOOKUPS.items() for part in ("names", "find"))
    yield "MAIL_HANDLER", settings.MAIL_HANDLER
    for table in ("CONDITION_FIELDS", "PANELS", "TOPIC_PANELS", "PALETTE", "PERSONAL_DATA", "USES", "CALENDAR_CHANGED"):
        yield from ((table, name) for name in getattr(settings, table))
    yield from (("RAIL", name) for name in settings.RAIL["places"])
    yield "RAIL", str(settings.RAIL["views"])
    yield "PRESENCE_BELL", settings.PRESENCE_BELL
    yield from ((f"CELERY_BEAT_SCHEDULE[{name!r}]", str(entry["task"])) for name, entry in settings.CELERY_BEAT_SCHEDULE.items())
    yield from (("CELERY_TASK_ROUTES", name) for name in settings.CELERY_TASK_ROUTES)


@register()
def mail_can_leave(**_: object) -> list[CheckMessage]:
    """helpdesk.E002: MAIL_TRANSPORT names no transport."""
    try:
        transports.check(settings.MAIL_TRANSPORT)
    except ImproperlyConfigured as error:
        return [Error(str(error), id="helpdesk.E002")]
    return []


@register()
def files_can_be_scanned(**_: object) -> list[CheckMessage]:
    """helpdesk.E003: ANTIVIRUS names no scanner."""
    try:
        if settings.ANTIVIRUS:
            antivirus.place(settings.ANTIVIRUS)
    except ImproperlyConfigured as error:
        return [Error(str(error), id="helpdesk.E003")]
    return []


@register()
def hooks_are_hard_to_guess(**_: object) -> list[CheckMessage]:
    """helpdesk.E004: for some providers this secret is the only proof of who posts, so a short one opens their doors."""
    weak = [secret for secret in settings.ANYMAIL["WEBHOOK_SECRET"] if ":" not in secret or len(secret) < 20]
    words = "ANYMAIL_WEBHOOK_SECRET is no user:password of 20 characters or more"
    return [Error(words, id="helpdesk.E004")] if weak else []


@register()
def every_name_leads_somewhere(**_: object) -> list[CheckMessage]:
    """helpdesk.E001: a name in a settings table cannot be imported, or is no function."""
    found: list[CheckMessage] = []
    for table, name in dotted_names():
        try:
            if table == "CONDITION_FIELDS":  # modules, imported for what they register
                import_module(name)
            elif not callable(import_string(name)):
                found.append(Error(f"{table}: {name} is not callable", id="helpdesk.E001"))
        except ImportError as error:
            found.append(Error(f"{table}: {name} cannot be imported: {error}", id="helpdesk.E001"))
    return found
