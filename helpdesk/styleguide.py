"""The living page of the design system, drawn by the shipped templates, tags and style sheets."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from helpdesk.accounts.access import public
from helpdesk.lib.dates import now

PAPER = ["ground", "sheet", "well", "lift", "hover"]
INK = ["ink", "ink-2", "ink-3", "accent", "late", "soon", "good"]
PAIRS = [
    ("on-fill", "accent-fill"),
    ("on-fill", "accent-push"),
    ("on-fill", "late-fill"),
    ("late", "late-soft"),
    ("soon", "soon-soft"),
    ("good", "good-soft"),
    ("accent", "accent-soft"),
    ("ink", "accent-soft"),
    ("ink-3", "accent-soft"),
    ("ink", "soon-soft"),
    ("ink", "late-soft"),
    ("note", "note-soft"),
    ("ink", "note-soft"),
    ("ink-3", "note-soft"),
    ("accent", "note-soft"),
]
LINES = [("edge", paper) for paper in PAPER[:4]] + [(f"plot-{n}", "sheet") for n in range(1, 6)]
Tokens = dict[str, tuple[str, str]]


def shipped(name: str) -> str:
    """The text of one of our static files."""
    return Path(str(finders.find(name))).read_text()


def tokens() -> Tokens:
    """Every colour of tokens.css as (light, dark), read from the file that ships."""
    found = re.finditer(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", shipped("css/tokens.css"))
    return {m[1]: (m[2], m[3]) for m in found}


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ratio(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ratios() -> list[dict[str, Any]]:
    """Each promised pair with its contrast by day and by night; `floor` is 4.5 for text and 3 for lines."""
    known = tokens()
    text = [(ink, paper) for ink in INK for paper in PAPER] + PAIRS
    rows = [(front, back, 4.5) for front, back in text] + [(front, back, 3.0) for front, back in LINES]
    return [
        {
            "front": front,
            "back": back,
            "floor": floor,
            "colours": (known[front], known[back]),
            "light": ratio(known[front][0], known[back][0]),
            "dark": ratio(known[front][1], known[back][1]),
        }
        for front, back, floor in rows
    ]


def worst(rows: list[dict[str, Any]], ink: str) -> dict[str, Any]:
    """The least contrast of an ink by day and by night over all surfaces."""
    own = [row for row in rows if row["front"] == ink and row["back"] in PAPER]
    low = min(own, key=lambda row: min(row["light"], row["dark"]))
    return low | {"back": "any surface", "light": min(r["light"] for r in own), "dark": min(r["dark"] for r in own)}


class SampleForm(forms.Form):
    """One field of each kind."""

    email = forms.EmailField(label=_("Your e-mail"), help_text=_("We answer here and use it for nothing else."))
    number = forms.CharField(label=_("Invoice number"), required=False)
    topic = forms.ChoiceField(
        label=_("What is it about?"),
        widget=forms.RadioSelect,
        choices=[("invoice", _("An invoice or a payment")), ("sign-in", _("Signing in")), ("else", _("Something else"))],
    )
    team = forms.ChoiceField(label=_("Team"), choices=[("", _("Nobody yet")), ("billing", _("Billing"))], required=False)
    text = forms.CharField(label=_("What happened, and what did you expect?"), widget=forms.Textarea(attrs={"rows": 3}))
    file = forms.FileField(label=_("Files"), required=False)
    follow = forms.BooleanField(label=_("Tell me when it is over"), required=False, help_text=_("One e-mail, then none."))


def clocks() -> list[dict[str, Any]]:
    """A clock in each of its states."""
    at = now()
    minutes = lambda n: at + timedelta(minutes=n, seconds=20)  # noqa: E731
    return [
        {"due": minutes(80), "started": minutes(-40)},
        {"due": minutes(12), "started": minutes(-48)},
        {"due": minutes(-26), "started": minutes(-146)},
        {"paused": True},
        {"due": minutes(40), "started": minutes(-80), "met": minutes(-71)},
        {"due": minutes(-30), "started": minutes(-80), "met": minutes(-25)},
    ]


@public
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Everything in one page; `?shell=desk|page|portal` shows a shell with long and empty contents."""
    if not settings.STYLEGUIDE:
        raise Http404
    shell = request.GET.get("shell", "")
    name = f"styleguide/{shell}.html" if shell in {"desk", "page", "portal"} else "styleguide/guide.html"
    rows, at = ratios(), now()
    if request.GET.get("toast"):
        messages.success(request, _("#812 solved, the answer leaves in 8 s"))
    context = {
        "text_ratios": [worst(rows, ink) for ink in INK] + [r for r in rows if (r["front"], r["back"]) in PAIRS],
        "line_ratios": [r for r in rows if r["floor"] == 3.0],
        "papers": [(name, tokens()[name]) for name in [*PAPER, "line"]],
        "form": SampleForm(),
        "wrong": SampleForm({"email": "ben@", "topic": "invoice", "text": ""}, auto_id="wrong_%s"),
        "clocks": clocks(),
        "moments": [at - timedelta(minutes=4), at - timedelta(days=3), at - timedelta(days=40), at - timedelta(days=500)],
        "icons": re.findall(r'id="i-(\w+)"', shipped("icons.svg")),
    }
    return render(request, name, context)


urlpatterns = [path("styleguide/", page, name="styleguide")]
