"""The tags say the same by shape, word and attribute, and join labels, hints and errors for those who do not see."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django import forms
from django.conf import settings
from django.template import engines
from django.test import RequestFactory
from django.utils import translation

from helpdesk import rail
from helpdesk.lib import dates
from helpdesk.templatetags import look

ROOT = Path(settings.BASE_DIR)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon():
    with dates.moved(to=NOON), translation.override("en"):
        yield


def draw(source: str, **context: object) -> str:
    return engines["django"].from_string(source).render(context)


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ben Carter", "BC"),
        ("Dr. Anneliese Hohenlohe-Schillingsfürst", "AH"),
        ("Freiwillige Feuerwehr Garmisch-Partenkirchen e. V.", "FG"),
        ("Åsa Lind", "ÅL"),
        ("Cleo", "CL"),
        ("ben@carter.example", "BE"),
        ("", ""),
        ("…", "…"),
        ("#22", "?"),
    ],
)
def test_initials(name, letters):
    assert look.initials(name) == letters


def test_a_clock_says_how_urgent_it_is_in_words_and_state():
    started = NOON - timedelta(hours=1)
    in_ = lambda **k: NOON + timedelta(**k, seconds=1)  # noqa: E731
    said = {
        "calm": look.clock(in_(minutes=80), started),
        "soon": look.clock(in_(minutes=12), started, what="First reply"),
        "late": look.clock(in_(minutes=-27), started),
    }
    assert "1 h 20 min left" in said["calm"]
    assert "First reply breaches in 12 min" in said["soon"]
    assert "26 min late" in said["late"]
    for state, html in said.items():
        assert f'data-state="{state}"' in html
    assert 'stroke-dasharray="17 100"' in said["soon"]  # 12 of 72 minutes are left


def test_the_last_second_counts_as_late_and_the_edge_of_the_warning_as_soon():
    assert 'data-state="late"' in look.clock(NOON - timedelta(seconds=1), NOON - timedelta(hours=1))
    with dates.moved(to=NOON):
        assert 'data-state="soon"' in look.clock(NOON + timedelta(minutes=15), NOON)
        assert 'data-state="calm"' in look.clock(NOON + timedelta(minutes=15, seconds=5), NOON)


def test_a_clock_that_is_over_is_words_only():
    started, due = NOON - timedelta(hours=2), NOON - timedelta(hours=1)
    assert "answered in 9 min" in look.clock(due, started, met=started + timedelta(minutes=9))
    missed = look.clock(due, started, met=due + timedelta(minutes=5))
    assert "answered 5 min late" in missed and 'data-state="missed"' in missed
    assert "paused" in look.clock(paused=True)
    assert look.clock(None) == ""


def test_when_is_said_as_one_would_today_with_the_whole_date_on_hover():
    assert ">12:00</time>" in look.when(NOON)
    assert ">Fri 12:00</time>" in look.when(NOON - timedelta(days=3))
    assert ">14 October</time>" in look.when(NOON - timedelta(days=40))
    assert ">14 October 2025</time>" in look.when(NOON - timedelta(days=405))
    assert ">14 October, 12:00</time>" in look.when(NOON - timedelta(days=40), "exact")
    assert ">Fri 12:00</time>" in look.when(NOON - timedelta(days=3), "exact")
    assert ">in 3 h</time>" in look.when(NOON + timedelta(hours=3, seconds=5), "ago")
    assert ">5 min ago</time>" in look.when(NOON - timedelta(minutes=5), "ago")
    assert 'title="Monday 23 November 2026, 12:00 UTC"' in look.when(NOON)
    assert 'datetime="2026-11-23T12:00:00+00:00"' in look.when(NOON)
    assert look.when(None) == ""


def test_the_reader_s_zone_decides_the_day():
    from django.utils import timezone

    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    with timezone.override("Europe/Berlin"):
        assert ">00:30</time>" in look.when(late)
    with timezone.override("UTC"):
        assert ">Sun 23:30</time>" in look.when(late)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "under 1 min"),
        (59, "under 1 min"),
        (60, "1 min"),
        (3600, "1 h"),
        (4800, "1 h 20 min"),
        (86400, "1 day"),
        (3 * 86400, "3 days"),
        (-5, "under 1 min"),
    ],
)
def test_spans(seconds, words):
    assert look.span_filter(seconds) == words


class Wish(forms.Form):
    email = forms.EmailField(label="Your e-mail", help_text="Nothing else.")
    topic = forms.ChoiceField(label="What is it about?", widget=forms.RadioSelect, choices=[("a", "Invoices"), ("b", "Bank")])
    number = forms.CharField(required=False, widget=forms.TextInput(attrs={"class": "wide"}))
    ok = forms.BooleanField(label="I agree")
    secret = forms.CharField(widget=forms.HiddenInput, required=False)


def test_a_field_joins_label_hint_and_error():
    html = draw("{% field form.email autocomplete='email' size=20 %}", form=Wish({"email": "ben@"}))
    assert '<label for="id_email">' in html
    assert 'id="id_email_hint"' in html and 'id="id_email_error"' in html
    tag = re.search(r"<input[^>]*>", html)[0]
    for part in [
        'aria-describedby="id_email_hint id_email_error"',
        'aria-invalid="true"',
        'class="input"',
        'autocomplete="email"',
        'size="20"',
        'value="ben@"',
    ]:
        assert part in tag


def test_an_untouched_field_claims_no_error_and_says_what_is_optional():
    html = draw("{% field form.number %}", form=Wish())
    assert "aria-invalid" not in html and "aria-describedby" not in html
    assert "optional" in html and 'class="wide input"' in html


def test_radios_are_a_group_with_its_question_as_legend():
    html = draw("{% field form.topic %}", form=Wish({}))
    assert re.search(r"<fieldset[^>]* aria-describedby=\"id_topic_error\".*<legend>What is it about\?</legend>", html, re.S)
    assert html.count('type="radio"') == 2 and 'for="id_topic_0"' in html


def test_the_summary_links_every_error_to_its_field_and_counts_them():
    html = draw("{% errors form %}", form=Wish({}))
    assert "3 things need another look" in html
    for target in ["#id_email", "#id_ok", "#id_topic"]:
        assert f'href="{target}"' in html
    assert "What is it about: This field" in html
    assert draw("{% errors form %}", form=Wish()).strip() == ""


def test_what_a_person_typed_cannot_become_markup():
    name = '<img src=x onerror="1">'
    for source in [
        "{% face name alone=True %}",
        "{% badge name %}",
        "{% status 'open' name %}",
        "{% empty name name %}",
        "{% clock paused=True what=name %}",
    ]:
        html = draw(source, name=name)
        assert "<img" not in html, source


def test_the_rail_marks_the_place_by_the_longest_address():
    entries = [{"url": "/"}, {"url": "/outreach/"}, {"url": "/outreach/segments/"}]
    assert rail.nearest(entries, "/outreach/segments/3/") is entries[2]
    assert rail.nearest(entries, "/outreach/?page=2") is entries[1]
    assert rail.nearest(entries, "/customers/") is None
    assert rail.nearest(entries, "/") is entries[0]


def test_a_rail_that_is_refreshed_marks_the_page_the_reader_is_on(settings):
    settings.RAIL = {"places": ["tests.look.urls.places"], "views": "tests.look.urls.views"}
    request = RequestFactory().get("/rail/")
    request.htmx = type("Htmx", (), {"current_url_abs_path": "/styleguide/?shell=desk", "__bool__": lambda self: True})()
    assert [view["current"] for view in rail.rail_for(request)["views"]] == ["page", ""]
    assert rail.rail_for(request)["places"][0]["current"] == "true"


def test_a_cookie_of_somebody_else_s_making_is_not_a_theme():
    request = RequestFactory().get("/", headers={"cookie": 'theme="><script>'})
    assert look.chosen({"request": request}, "theme", "light", "dark") == ""


def test_every_icon_that_a_template_names_exists():
    known = set(re.findall(r'id="([\w-]+)"', (ROOT / "helpdesk/static/icons.svg").read_text()))
    named = set()
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        named |= {f"i-{name}" for name in re.findall(r'{% icon "([\w-]+)"', text)}
        named |= set(re.findall(r'{% sign "([\w-]+)"', text))
    assert named - known == set()
    assert {f"s-{state}" for state in look.STATUS_WORDS} <= known
