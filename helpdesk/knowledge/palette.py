"""Answers in the palette (settings.PALETTE), by their words."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from helpdesk.knowledge.models import Answer


def found(request: HttpRequest, text: str, most: int) -> list[dict[str, Any]]:
    """Living answers with every word in title or text, by title."""
    rows = Answer.objects.living().select_related("topic")
    for word in text.split():
        rows = rows.saying(word)
    return [
        {
            "icon": "book",
            "word": answer.title,
            "beside": answer.topic.name if answer.topic else "",
            "url": reverse("answer", args=[answer.pk]),
        }
        for answer in rows[:most]
    ]
