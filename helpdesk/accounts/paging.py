"""Parameters that the API's lists share, and pages by them: newest first, from a key, never from an offset."""

from collections.abc import Collection
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.request import Request

PAGE = 50
MOST = 200
HIGHEST = 2**63 - 1  # of PostgreSQL's bigint
LIMIT = OpenApiParameter("limit", int, description=f"At most {MOST}; {PAGE} if left out.")
BEFORE = OpenApiParameter("before", int, description="Only those with a smaller number or id; see `next`.")
KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, description="The same key gets the first answer again.")
Row = TypeVar("Row", bound=Model)


def known(request: Request, names: Collection[str]) -> None:
    """A misspelt parameter is an error, never silence; and no name from outside reaches the ORM."""
    if unknown := set(request.query_params) - {"limit", "before", *names}:
        raise exceptions.ValidationError({name[:60]: ["There is no such parameter."] for name in sorted(unknown)[:20]})


def whole(request: Request, name: str, default: int, highest: int = HIGHEST) -> int:
    """A whole number from 1 from the query; anything else is a 400."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= highest):
        raise exceptions.ValidationError({name: [f"A whole number from 1 to {highest}."]})
    return int(text)


def page(request: Request, rows: QuerySet[Row], *, by: str = "pk") -> tuple[list[Row], str | None]:
    """One page of rows by ``limit`` and ``before``, the highest first, and the address of the next one, or None."""
    limit, before = whole(request, "limit", PAGE, MOST), whole(request, "before", HIGHEST)
    found = list(rows.filter(**{f"{by}__lt": before}).order_by(f"-{by}")[: limit + 1])
    return found[:limit], _next(request, getattr(found[limit - 1], by)) if len(found) > limit else None


def _next(request: Request, before: Any) -> str:
    query = request.query_params.copy()
    query["before"] = str(before)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
