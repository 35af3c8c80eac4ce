"""Ids of rows as they come from outside: in addresses, forms and refs."""

from collections.abc import Iterable

from django.http import QueryDict


def row_id(text: str) -> int | None:
    """The id that a text says; None for what no row can have: other letters than 0 to 9, or more than a bigint holds."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def row_ids(texts: Iterable[str]) -> list[int]:
    """The ids among these texts; what is none is left out."""
    return [pk for text in texts if (pk := row_id(text)) is not None]


def older(query: QueryDict, page: list[int], size: int) -> str:
    """The address of the next older page, as the query says it; "" where these ids are no more than one page."""
    if len(page) <= size:
        return ""
    query = query.copy()
    query["before"] = str(page[size - 1])
    return f"?{query.urlencode()}"
