"""The vocabulary of the pages, built into every template: signs, times, fields, messages and the rail.

Each tag writes words and `data-` attributes; the style sheets in static/css give them their look.
"""

import re
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.conf import settings
from django.forms import BaseFormSet, BoundField, CheckboxInput, CheckboxSelectMultiple, Form, RadioSelect
from django.template import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from helpdesk import rail as rails
from helpdesk.lib.dates import now, zone
from helpdesk.mail.parsing import addresses

register = template.Library()

STATUS_WORDS = {
    "new": gettext_lazy("New"),
    "open": gettext_lazy("Open"),
    "pending": gettext_lazy("Pending"),
    "hold": gettext_lazy("On hold"),
    "solved": gettext_lazy("Solved"),
    "closed": gettext_lazy("Closed"),
    "spam": gettext_lazy("Spam"),
}
WARN = timedelta(minutes=15)  # a clock is "soon" this long before it breaches


# --- signs -----------------------------------------------------------------------------------------------------------


@register.simple_tag
def sign(name: str, label: str = "", kind: str = "") -> SafeString:
    """One symbol of static/icons.svg by its full id (`t-done`, `s-open`, `mark`); silent unless it has a label."""
    spoken = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    dressed = format_html(' class="{}"', kind) if kind else ""
    return format_html('<svg{} {}><use href="{}#{}"/></svg>', dressed, spoken, static("icons.svg"), name)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A 16 px line icon: `{% icon "inbox" %}`. Give a label only where no word stands beside it."""
    return sign(f"i-{name}", label, "icon")


@register.simple_tag
def status(state: str, word: str = "") -> SafeString:
    """A ticket's status as shape and word; `word` names a custom status inside its category."""
    return format_html('<span class="status" data-state="{}">{}{}</span>', state, sign(f"s-{state}"), word or STATUS_WORDS[state])


@register.simple_tag
def badge(word: str, mood: str = "", icon: str = "") -> SafeString:
    """A word on a tint; moods: us, good, soon, late, note, held."""
    return format_html(
        '<span class="badge" data-mood="{}">{}{}</span>', mood, sign(f"i-{icon}", "", "icon") if icon else "", word
    )


@register.filter
def lookalike(address: Any) -> str:
    """The domain of an address as its letters look, where they pass for others; "" for an honest one, and for none."""
    domain = str(address or "").rpartition("@")[2].lower()
    return addresses.lookalike(domain) if "xn--" in domain else ""


def initials(name: str) -> str:
    """First letters of the first and last name; titles, legal forms ("Dr.", "e. V.") and address domains do not count.

    Who is known by a number alone ("#22") has none.
    """
    if name[:1] == "#":
        return "?"
    words = [w for w in re.split(r"[\s@]+", name.split("@")[0]) if w[:1].isalnum() and not w.endswith(".")] or [name]
    letters = words[0][:1] + (words[-1][:1] if len(words) > 1 else words[0][1:2])
    return letters.upper()


@register.simple_tag
def face(name: Any, of: str = "them", size: str = "", alone: bool = False) -> SafeString:
    """Initials: round for them, square for `us`, outlined for `me`. `alone` when the name is not written beside it."""
    spoken = format_html('role="img" aria-label="{}" title="{}"', name, name) if alone else mark_safe('aria-hidden="true"')
    return format_html('<span class="face" data-of="{}" data-size="{}" {}>{}</span>', of, size, spoken, initials(str(name)))


# --- time ------------------------------------------------------------------------------------------------------------


def span(length: timedelta) -> str:
    """A length of time in at most two units: "12 min", "1 h 20 min", "3 days"."""
    minutes = max(0, int(length.total_seconds()) // 60)
    if minutes < 1:
        return _("under 1 min")
    if minutes < 60:
        return _("%(n)d min") % {"n": minutes}
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return _("%(h)d h %(m)d min") % {"h": hours, "m": rest} if rest else _("%(h)d h") % {"h": hours}
    days = round(hours / 24)
    return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}


@register.filter(name="span")
def span_filter(length: Any) -> str:
    """`{{ seconds|span }}` or `{{ timedelta|span }}`; nothing for None."""
    if length is None:
        return ""
    return span(length if isinstance(length, timedelta) else timedelta(seconds=float(length)))


def short(moment: datetime) -> str:
    """The moment as one would say it today: 09:54, Mon 09:00, 2 November, 2 November 2025."""
    local, today = timezone.localtime(moment), timezone.localtime(now())
    days = (local.date() - today.date()).days
    if days == 0:
        return date_format(local, pgettext("a time today", "H:i"))
    if -7 < days < 7:
        return date_format(local, pgettext("a time this week", "D H:i"))
    if local.year == today.year:
        return date_format(local, pgettext("a day this year", "j F"))
    return date_format(local, pgettext("a day of another year", "j F Y"))


def exact(moment: datetime) -> str:
    """The same with the time also of a day that is long past: 2 November, 09:54."""
    near = abs((timezone.localtime(moment).date() - timezone.localtime(now()).date()).days) < 7
    return short(moment) if near else f"{short(moment)}, {at_time(moment)}"


def at_time(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), pgettext("a time today", "H:i"))


def ago(moment: datetime) -> str:
    """Distance from now: "5 min ago", "in 3 h", "just now"."""
    past = now() - moment
    if abs(past) < timedelta(minutes=1):
        return _("just now")
    return _("%(span)s ago") % {"span": span(past)} if past > timedelta() else _("in %(span)s") % {"span": span(-past)}


@register.simple_tag
def when(moment: datetime | None, style: str = "short") -> SafeString | str:
    """A moment in the reader's zone, the full date on hover; styles: short, exact, time, ago, full. Nothing for None."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    full = date_format(local, pgettext("a full date", "l j F Y, H:i")) + local.strftime(" %Z")
    text = {"short": short, "exact": exact, "time": at_time, "ago": ago, "full": lambda m: full}[style](moment)
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(timespec="seconds"), full, text)


@register.filter
def elsewhere(name: Any, moment: datetime | None = None) -> str:
    """The name of a zone whose clocks show another time at that moment (or now) than the reader's; "" where they agree."""
    there, at = zone(str(name)), moment or now()
    return there.key if at.astimezone(there).utcoffset() != timezone.localtime(at).utcoffset() else ""


@register.simple_tag
def dial(left: float, size: str = "") -> SafeString:
    """A slice of what is left, 0 to 100; size "large" on a page about one promise."""
    return format_html(
        '<svg class="dial" data-size="{}" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.5"/>'
        '<circle cx="8" cy="8" r="2.5" pathLength="100" stroke-dasharray="{} 100"/></svg>',
        size,
        round(min(100, max(0, left))),
    )


@register.simple_tag
def clock(
    due: datetime | None = None,
    started: datetime | None = None,
    met: datetime | None = None,
    paused: bool = False,
    what: str = "",
    warn: timedelta = WARN,
    left: int | None = None,
    name: str = "",
) -> SafeString | str:
    """One promise: text while calm, tint when soon, a filled pill when late; plain words once it is over.

    `what` names the promise ("First reply") where the page does not, `name` only on hover; a paused one says what it has
    `left`, in seconds. Nothing is written without a due date, unless paused.
    """
    if met is not None:
        took = met - (started or met)
        state, glyph = ("missed", "late") if due and met > due else ("met", "check")
        words = (
            _("answered %(span)s late") % {"span": span(met - due)}
            if due and met > due
            else _("answered in %(span)s") % {"span": span(took)}
        )
    elif paused:
        state, glyph = "paused", "pause"
        words = _("paused, %(span)s left") % {"span": span(timedelta(seconds=left))} if left else _("paused")
    elif due is None:
        return ""
    else:
        ahead = due - now()
        total = due - started if started and started < due else timedelta(hours=1)
        state = "late" if ahead <= timedelta() else "soon" if ahead <= warn else "calm"
        glyph = "late"
        words = {
            "late": _("%(span)s late") % {"span": span(-ahead)},
            "soon": _("breaches in %(span)s") % {"span": span(ahead)},
            "calm": _("%(span)s left") % {"span": span(ahead)},
        }[state]
        if state != "late":
            glyph = ""
    picture = icon(glyph) if glyph else dial(100 * (ahead / total))
    title = format_html(' title="{}"', _due_words(due, name or what)) if due else ""
    text = pgettext("promise and its state", "%(what)s %(words)s") % {"what": what, "words": words} if what else words
    return format_html('<span class="clock" data-state="{}"{}>{}{}</span>', state, title, picture, text)


def _due_words(due: datetime, name: str) -> str:
    """When it is due, in full, for the hover of a clock."""
    local = timezone.localtime(due)
    time = date_format(local, pgettext("a full date", "l j F Y, H:i")) + local.strftime(" %Z")
    return _("%(name)s due %(time)s") % {"name": name, "time": time} if name else _("Due %(time)s") % {"time": time}


# --- forms -----------------------------------------------------------------------------------------------------------


@register.inclusion_tag("_field.html")
def field(bound: BoundField, label: str = "", hint: str | None = None, optional: str = "", **attrs: Any) -> dict[str, Any]:
    """A whole field: label, hint, error, input, joined for screen readers. Other keywords become attributes of the input."""
    widget = bound.field.widget
    kind = (
        "many"
        if isinstance(widget, RadioSelect | CheckboxSelectMultiple)
        else "tick"
        if isinstance(widget, CheckboxInput)
        else "hidden"
        if bound.is_hidden
        else "input"
    )
    hint = str(bound.help_text) if hint is None else hint
    described = [f"{bound.auto_id}_{part}" for part, there in (("hint", hint), ("error", bound.errors)) if there]
    attributes = {name.replace("_", "-"): value for name, value in attrs.items()}
    if kind == "input":
        attributes["class"] = f"{widget.attrs.get('class', '')} input".strip()
    if kind != "many":
        attributes |= {"aria-describedby": " ".join(described) or None}
        attributes |= {"aria-invalid": "true"} if bound.errors else {}
    attributes = {name: value for name, value in attributes.items() if value is not None}
    return {
        "kind": kind,
        "bound": bound,
        "label": label or bound.label,
        "hint": hint,
        "described": " ".join(described),
        "optional": optional or ("" if bound.field.required or kind == "tick" else _("optional")),
        "widget": bound if kind == "many" else bound.as_widget(attrs=attributes),
    }


@register.inclusion_tag("_errors.html")
def errors(*told: "Form | BaseFormSet[Any]", focus: bool = True) -> dict[str, Any]:
    """What is wrong with one or several forms, above them, each line a link to its field; a fresh page starts there."""
    forms = [form for each in told for form in (each if isinstance(each, BaseFormSet) else [each])]
    found = [
        {"field": bound.id_for_label or bound.auto_id, "label": str(bound.label).rstrip("?:"), "error": error}
        for form in forms
        for bound in form.visible_fields()
        for error in bound.errors
    ]
    hidden = [e for form in forms for bound in form.hidden_fields() for e in bound.errors]
    general = [error for form in forms for error in form.non_field_errors()] + hidden
    general += [error for each in told if isinstance(each, BaseFormSet) for error in each.non_form_errors()]
    return {"found": found, "general": general, "count": len(found) + len(general), "focus": focus}


# --- messages and places ---------------------------------------------------------------------------------------------


@register.inclusion_tag("_empty.html")
def empty(title: str, text: str = "", url: str = "", action: str = "") -> dict[str, str]:
    """Nothing here yet: what this place is for and the next step."""
    return {"title": title, "text": text, "url": url, "action": action}


@register.inclusion_tag("_toasts.html", takes_context=True)
def toasts(context: Context, oob: bool = False) -> dict[str, Any]:
    """Django's messages as toasts; in an htmx answer `{% toasts oob=True %}` adds them to those on the page."""
    return {"messages": context.get("messages", ()), "oob": oob}


@register.inclusion_tag("_turn.html")
def turn(older: str = "", newer: str = "") -> dict[str, str]:
    """Older and newer links of a keyset-paginated list; an empty address leaves its link out."""
    return {"older": older, "newer": newer}


@register.inclusion_tag("_rail.html", takes_context=True)
def rail(context: Context) -> dict[str, Any]:
    """The way to every place and view, from settings.RAIL."""
    return _frame(context)


@register.inclusion_tag("_dock.html", takes_context=True)
def dock(context: Context) -> dict[str, Any]:
    """The first four places under the thumb, and the rest behind one button."""
    return _frame(context)


def _frame(context: Context) -> dict[str, Any]:
    request = context["request"]
    own = {"theme": chosen(context, "theme", "light", "dark"), "density": chosen(context, "density", "compact")}
    own["here"] = request.get_full_path() if request.method == "GET" else ""  # where a form of the shell leads back to
    return {"user": context.get("user"), "csrf_token": context.get("csrf_token"), **own, **rails.rail_for(request)}


@register.simple_tag
def styles(names: str) -> SafeString:
    """Links to the named style sheets of static/css, in the given order."""
    return format_html_join("\n", '<link rel="stylesheet" href="{}">', ((static(f"css/{name}.css"),) for name in names.split()))


@register.simple_tag
def workspace() -> str:
    """The name that customers know us by."""
    return str(settings.WORKSPACE_NAME)


@register.simple_tag(takes_context=True)
def chosen(context: Context, name: str, *allowed: str) -> str:
    """The reader's own choice of theme or density, kept in a cookie: one of `allowed`, or nothing."""
    request = context.get("request")
    value = request.COOKIES.get(name, "") if request else ""
    return value if value in allowed else ""
