"""Custom fields as inputs of a form: built from their definitions, read back as JSON holds them."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from helpdesk.customers import definitions
from helpdesk.customers.models import FieldDefinition

Type = FieldDefinition.Type
PREFIX = "attribute_"


class Several(forms.CheckboxSelectMultiple):
    """Boxes that say so when none is ticked, by an empty value that goes along."""

    sends_empty = True

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return [value for value in super().value_from_datadict(data, files, name) or [] if value]


class LookupField(forms.CharField):
    """Somebody or something that we know, typed by name, number or address: one must be meant, and only one."""

    def __init__(self, target: str, **kwargs: Any) -> None:
        super().__init__(max_length=200, **kwargs)
        self.target = target

    def prepare_value(self, value: Any) -> Any:
        """Its own name for what is kept; what was typed stays as it was."""
        if isinstance(value, str) and value.startswith(f"{self.target}:"):
            return f"{definitions.names([value]).get(value, '')} ({value})".strip()
        return value

    def clean(self, value: Any) -> str:
        text = str(super().clean(value) or "").strip()
        if not text:
            return ""
        if text.endswith(")") and f"({self.target}:" in text:  # as it was shown
            text = text.rpartition("(")[2][:-1]
        found = definitions.find(self.target, text)
        if not found:
            raise forms.ValidationError(_("We know nothing of this name."))
        if len(found) > 1:
            several = ", ".join(f"{name} ({ref})" for ref, name in found)
            raise forms.ValidationError(_("Several fit; say which: %s") % several)
        return found[0][0]


def name_of(definition: FieldDefinition) -> str:
    return PREFIX + definition.key


def field(definition: FieldDefinition, kept: Any = None, *, required: bool = False, empty: str | Promise = "") -> forms.Field:
    """Its input. A choice that was taken away stays with those who have it, until somebody chooses another.

    ``empty`` is what choosing nothing means.
    """
    common: dict[str, Any] = {"label": definition.label, "required": required, "help_text": definition.hint}
    nothing = "" if required else empty or _("Not known")
    match definition.type:
        case Type.NUMBER:
            return forms.DecimalField(**common, max_digits=18, decimal_places=6)
        case Type.DATE:
            return forms.DateField(**common, widget=forms.DateInput(attrs={"type": "date"}))
        case Type.BOOLEAN:
            words = [("", nothing), ("true", _("Yes")), ("false", _("No"))]
            return forms.TypedChoiceField(**common, choices=words, coerce=lambda word: word == "true", empty_value=None)
        case Type.CHOICE:
            choices = dict.fromkeys([*definition.choices, kept] if isinstance(kept, str) else definition.choices)
            return forms.ChoiceField(**common, choices=[("", nothing), *((each, each) for each in choices)])
        case Type.MULTI:
            extra = kept if isinstance(kept, list) else []
            several = dict.fromkeys([*definition.choices, *(each for each in extra if isinstance(each, str))])
            return forms.MultipleChoiceField(**common, choices=[(each, each) for each in several], widget=Several)
        case Type.LOOKUP:
            hint = definition.hint or _("A name, a number or an address.")
            return LookupField(definition.target, **{**common, "help_text": hint})
    return forms.CharField(**common, max_length=definitions.MAX_TEXT)


def initial(attributes: dict[str, Any]) -> dict[str, Any]:
    """What is kept, as the inputs show it."""
    return {f"{PREFIX}{key}": str(value).lower() if isinstance(value, bool) else value for key, value in attributes.items()}


def kept(value: Any) -> Any:
    """What an input was cleaned to, as JSON holds it; None for nothing."""
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case date():
            return value.isoformat()
        case "" | []:
            return None
    return value


def said(asked: Iterable[FieldDefinition], cleaned: dict[str, Any]) -> dict[str, Any]:
    """The attributes that a form says, by key; None for one left empty."""
    return {each.key: kept(cleaned[name_of(each)]) for each in asked if name_of(each) in cleaned}
