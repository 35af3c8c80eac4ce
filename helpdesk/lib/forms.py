"""Fields of a form that is there, by their type."""

from typing import Any, cast

from django.forms import BaseForm, ModelChoiceField


def choice(form: BaseForm, name: str) -> "ModelChoiceField[Any]":
    """A field to choose from: its ``queryset``, ``choices`` and ``empty_label`` are this form's own, and may be set for it."""
    return cast("ModelChoiceField[Any]", form.fields[name])
