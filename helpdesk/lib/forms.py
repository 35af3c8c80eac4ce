"""What several forms ask of a field: its type, and that what is typed is a time zone."""

from typing import Any, cast

from django.forms import BaseForm, ModelChoiceField, ValidationError
from django.utils.translation import gettext as _

from helpdesk.lib import dates


def choice(form: BaseForm, name: str) -> "ModelChoiceField[Any]":
    """A field to choose from: its ``queryset``, ``choices`` and ``empty_label`` are this form's own, and may be set for it."""
    return cast("ModelChoiceField[Any]", form.fields[name])


def known_zone(said: str) -> str:
    """A time zone as the IANA database names it, or "". Raises ValidationError for another."""
    zone = said.strip()
    if zone and dates.zone(zone).key != zone:
        raise ValidationError(_("We do not know this time zone. They look like Europe/Berlin."))
    return zone
