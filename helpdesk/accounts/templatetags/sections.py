"""The way through the settings: their sections, and the pages of the section where one is."""

from typing import Any

from django import template

from helpdesk.accounts.sections import sections_of

register = template.Library()


@register.inclusion_tag("accounts/_sections.html", takes_context=True)
def sections(context: dict[str, Any], here: str) -> dict[str, Any]:
    """`here` is the key of the page that is open."""
    known = [(word, pages, any(page.key == here for page in pages)) for word, pages in sections_of(context["user"])]
    return {"sections": known, "pages": next((pages for _word, pages, open_ in known if open_), []), "here": here}
