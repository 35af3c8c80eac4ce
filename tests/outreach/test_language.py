"""The language of messages: nothing can be reached, called or made endless, and nothing a customer is called is markup."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.lib.liquid import BadTemplate, MissingValue, without_empty
from outreach import messages
from outreach.letters import Frame, letter
from outreach.messages import check

FRAME = Frame("Nordwind", "1 Letter Lane", "Product tips")
VALUES = {
    "customer": {"name": "Ben Carter", "first_name": "Ben", "email": "ben@carter.example", "pets": ["Rex", "Mia"]},
    "event": {"order_id": "A-1", "url": "https://shop.example/a?b=1&c=2", "when": "2026-10-25T01:30:00Z", "total": 1234.5},
    "workspace": {"name": "Nordwind"},
    "unsubscribe_url": "https://x.example/u/abc",
}


def write(body, subject="Hello", **more):
    return letter(subject, body, FRAME).write({**VALUES, **more})


REFUSED = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ settings.SECRET_KEY }}",
    "{{ user.password }}",
    "{{ env.PATH }}",
    "{{ request.META }}",
    "{{ self }}",
    "{{ config.items() }}",
    "{% debug %}",
    "{% include 'mail/campaign.html' %}",
    "{% render 'x' %}",
    "{% extends 'base.html' %}",
    "{% load static %}",
    "{% assign a = customer.name %}",
    "{% capture a %}x{% endcapture %}",
    "{% increment a %}",
    "{% liquid echo customer.name %}",
    "{% echo customer.name %}",
    "{% cycle 'a', 'b' %}",
    "{% tablerow a in event.items %}{% endtablerow %}",
    "{% raw %}{{ x }}{% endraw %}",
    "{% for i in (1..1000000000) %}x{% endfor %}",
    "{{ (1..1000000000) }}",
    "{% for i in event.a %}{% for j in (1..9) %}x{% endfor %}{% endfor %}",
    "{{ customer.name | append: customer.name }}",
    "{{ customer.name | replace: 'a', 'aaaaaaaa' }}",
    "{{ 'a' | times: 1000000000 }}",
    "{{ 'a' * 1000000000 }}",
    "{{ customer.name | safe }}",
    "{{ customer.name | link_address }}",
    "{{ customer[customer.name] }}",
    "{{ customer.name | default: event.order_id }}",
    "{{ customer.first_name | upcase | default: 'x' }}",
    "{% if customer.name %}",
    "{{ customer.name",
    "{% endfor %}",
    "x" * 20_001,
    "{% if a %}" * 40 + "{% endif %}" * 40,
]


@pytest.mark.parametrize("source", REFUSED, ids=lambda source: source[:40])
def test_what_is_not_this_language_is_refused_when_saved(source):
    with pytest.raises(BadTemplate) as refusal:
        check(source)
    assert str(refusal.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ customer.__class__ }}",
        "{{ customer.name.__class__ }}",
        "{{ customer['__init__'] }}",
        "{{ event.items }}",
        "{{ customer }}",
        "{{ customer.pets }}",
        "{{ event }}",
        "{% for c in customer.name %}{{ c }}{% endfor %}",
        "{% for pair in event %}{{ pair }}{% endfor %}",
        "{{ event.when | number }}",
        "{{ event.order_id | date }}",
    ],
)
def test_what_would_reach_further_at_the_send_skips_the_message(source):
    with pytest.raises(MissingValue):
        write(source)


def test_loops_end_and_output_has_a_limit():
    many = {"event": {"rows": list(range(400)), "short": list(range(20))}}
    assert write("{% for r in event.short %}{{ r }};{% endfor %}", **many)[1].startswith("0;1;2;")
    with pytest.raises(MissingValue, match="limit"):
        write("{% for a in event.rows %}{% for b in event.rows %}x{% endfor %}{% endfor %}", **many)
    with pytest.raises(MissingValue, match="limit"):
        write("{% for a in event.rows %}" + "y" * 1000 + "{% endfor %}", **many)


def test_a_text_is_filled_in_and_both_parts_say_the_same():
    subject, text, html = write(
        "Hello **{{ customer.first_name }}**,\n\n[see it]({{ event.url }}) by {{ event.when | date }}",
        subject="Order {{ event.order_id }}",
    )
    assert subject == "Order A-1"
    assert "<strong" in html and "Ben" in html and 'href="https://shop.example/a?b=1&amp;c=2"' in html
    assert "Hello Ben" in text and "https://shop.example/a?b=1&c=2" in text
    assert "1 Letter Lane" in html and "1 Letter Lane" in text
    assert "https://x.example/u/abc" in html and "https://x.example/u/abc" in text


MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](https://evil.example)",
    "{{ settings }}",
    "{% include 'x' %}",
    '"><b>x',
    "**bold**",
    "</p></td></table>",
    "&lt;b&gt;",
]


@pytest.mark.parametrize("name", MARKUP)
def test_what_a_customer_is_called_never_becomes_markup(name):
    _subject, text, html = write("Hello {{ customer.name }}!", customer={"name": name})
    assert name in text
    assert f"Hello {name}!" in unescape(html.replace("\n", " "))
    for tag in ("<script", "<img", "<b>", 'evil.example">'):
        assert tag not in html


def test_a_link_made_of_a_value_goes_to_the_web_only():
    with pytest.raises(MissingValue, match="web address"):
        write("[see]({{ event.url }})", event={"url": "javascript:alert(1)"})
    html = write("[see](https://shop.example/{{ event.id }}?a={{ event.id }})", event={"id": 'x"/../&y= z'})[2]
    assert 'href="https://shop.example/x%22%2F..%2F%26y%3D%20z?a=x%22%2F..%2F%26y%3D%20z"' in html


def test_braces_that_come_from_entities_are_no_code():
    _subject, text, html = write("Set &#123;&#123; customer.name &#125;&#125; here")
    assert "Ben" not in html and "Ben" not in text


def test_a_block_around_paragraphs_leaves_no_empty_ones():
    body = "Before\n\n{% if customer.first_name %}\nHello {{ customer.first_name }}\n{% else %}\nHello\n{% endif %}\n\nAfter"
    html = write(body)[2]
    assert "Hello Ben" in html and "<p style" in html
    assert not re.search(r"<p[^>]*>\s*</p>", html)


def test_a_header_stays_one_line():
    assert (
        write("x", subject="Hi {{ customer.name }}", customer={"name": "Ben\r\nBcc: all@example.com"})[0]
        == "Hi Ben Bcc: all@example.com"
    )


def test_publication_asks_for_a_fallback_for_every_value_that_can_be_missing():
    step = {
        "subject": "Hi {{ customer.first_name }}",
        "fallbacks": {"customer.plan": "your plan", "event.gift": " "},
        "body": "{{ customer.email }} {{ customer.plan }} {{ event.order_id }} {{ event.gift }} "
        "{{ workspace.name }}{{ company.name | default: 'you' }}{% for pet in customer.pets %}{{ pet.name }}"
        "{{ forloop.index }}{% endfor %}"
        "{% if customer.vip %}x{% endif %}",
    }
    assert messages.gaps(step, "order_id") == ["customer.first_name", "event.gift", "pet.name"]
    assert "event.order_id" in messages.gaps(step)


def test_an_empty_value_is_a_missing_one_and_the_fallback_steps_in():
    step = {"fallbacks": {"customer.first_name": "there", "company.name": "your company"}}
    values = messages.complete(step, {"customer": {"first_name": "  ", "name": None}, "event": {}})
    made = letter("Hi {{ customer.first_name }}", "At {{ company.name }}: {{ customer.plan | default: 'basic' }}", FRAME)
    subject, text, _html = made.write(values | {"unsubscribe_url": "https://x.example/u/abc"})
    assert subject == "Hi there" and "At your company: basic" in text
    with pytest.raises(MissingValue, match=r"customer\.name"):
        letter("Hi", "{{ customer.name }}", FRAME).write(values | {"unsubscribe_url": "https://x.example/u/abc"})


def test_the_reader_gets_dates_numbers_and_footer_in_their_language():
    with messages.as_reader({"customer": {"language": "de-AT"}, "zone": "Europe/Berlin"}) as language:
        made = letter("Am {{ event.when | date: 'moment' }}", "{{ event.total | number: 2 }}", Frame("N", "A", "T", language))
        subject, text, _html = made.write(VALUES)
    assert subject == "Am 25. Oktober 2026 02:30 CET" and "1.234,50" in text


@given(st.text(max_size=300))
def test_any_text_at_all_is_a_letter_or_a_clear_refusal(body):
    try:
        check(body)
    except BadTemplate as refusal:
        assert str(refusal)
        return
    try:
        _subject, text, html = write(body)
    except MissingValue:
        return
    assert "<script" not in html.lower() and text


@given(
    st.recursive(
        st.none() | st.text(max_size=3) | st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=20,
    )
)
def test_nothing_empty_is_left(value):
    def empty(found):
        if isinstance(found, dict):
            return any(inner is None or empty(inner) for inner in found.values())
        if isinstance(found, list):
            return any(inner is None or empty(inner) for inner in found)
        return isinstance(found, str) and not found.strip()

    assert not empty(without_empty(value))
