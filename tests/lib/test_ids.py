"""What comes from outside as an id is one that a row can have, or none."""

import pytest

from helpdesk.lib.ids import row_id, row_ids


@pytest.mark.parametrize("text", ["", "x", "-1", "1.0", " 1", "1_000", "٣", "²", "9" * 19, "9" * 5000, "1\0"])
def test_what_no_row_can_have_is_none(text):
    assert row_id(text) is None and row_ids([text, "7"]) == [7]


def test_the_largest_that_is_read_fits_a_bigint():
    assert row_id("0") == 0 and row_id("12") == 12 and row_id("9" * 18) < 2**63
