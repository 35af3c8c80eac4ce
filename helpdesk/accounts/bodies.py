"""What the API reads: JSON (RFC 8259) of a bounded size, with an error in words for everything else."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework import exceptions, parsers

MAX_BODY = 5_000_000  # bytes


class TooLarge(exceptions.APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = f"The body is larger than {MAX_BODY} bytes."


class JSONBody(parsers.BaseParser):
    """Reads at most MAX_BODY bytes. Nesting that would exhaust the stack, NaN and bad UTF-8 are a 400."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        raw = stream.read(MAX_BODY + 1)
        if len(raw) > MAX_BODY:
            raise TooLarge
        try:
            return json.loads(raw.decode("utf-8"), parse_constant=_refuse)
        except RecursionError:
            raise exceptions.ParseError("The JSON is nested too deeply.") from None
        except ValueError as error:  # bad UTF-8, bad JSON, a number of thousands of digits
            raise exceptions.ParseError(f"This is not JSON: {error}") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
