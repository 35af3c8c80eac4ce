"""What a file is, its bytes say; pictures are drawn anew within their measure."""

import zipfile
from io import BytesIO

import pytest
from PIL import Image

from helpdesk.files.pictures import SIZES, NoPicture, still
from helpdesk.files.sniff import UNKNOWN, media_type
from tests.pictures import SVG, bomb, drawing, opened


def archive() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("content.xml", "<x/>")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "claimed", "is_a"),
    [
        (drawing(), "image/png", "image/png"),
        (drawing("JPEG"), "image/png", "image/jpeg"),
        (drawing(), UNKNOWN, "image/png"),
        (drawing("WEBP"), "text/plain", "image/webp"),
        (SVG, "image/png", "image/svg+xml"),
        (SVG, "text/plain", "image/svg+xml"),
        (b"\xef\xbb\xbf  <!DOCTYPE html><title>x", "image/gif", "text/html"),
        (b"<script>alert(1)</script>", "application/pdf", "text/html"),
        (b"%PDF-1.7\n", "image/png", "application/pdf"),
        (b"MZ\x90\x00" + b"\0" * 60, "image/jpeg", "application/x-msdownload"),
        (b"just words", "image/png", UNKNOWN),  # a claim of what we would have recognised
        (b"just words", "application/pdf", UNKNOWN),
        (b"just words", "text/plain", "text/plain"),
        (b"a;b\n1;2\n", "text/csv", "text/csv"),
        (b"BEGIN:VCALENDAR", "text/calendar", "text/calendar"),
        (b"a <b> in a sentence", "text/plain", "text/plain"),
        (archive(), "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
        (archive(), "image/png", "application/zip"),
        (archive(), UNKNOWN, "application/zip"),
        (b"\0\1\2", "text/html", UNKNOWN),
        (b"", "image/png", UNKNOWN),
        (b"", "text/plain", "text/plain"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_claim_that_the_bytes_contradict_is_not_believed(content: bytes, claimed: str, is_a: str) -> None:
    assert media_type(content, claimed) == is_a


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_is_drawn_anew_within_its_measure(kind: str) -> None:
    for size, most in SIZES.items():
        drawn = opened(still(drawing(kind, (2000, 1000)), size))
        assert (drawn.format, drawn.size) == ("WEBP", (most, most // 2))
    assert opened(still(drawing(kind, (30, 20)), "large")).size == (30, 20), "it is never made larger"


def test_only_its_look_is_left() -> None:
    exif = Image.Exif()
    exif[0x010E] = "home of Ben"
    exif[0x0112] = 6  # taken with the camera turned
    content = drawing("JPEG", (60, 40), exif=exif, comment=b"<script>alert(1)</script>") + b"<?php system('id') ?>"
    drawn = still(content)
    assert b"home of Ben" not in drawn and b"script" not in drawn and b"php" not in drawn
    assert opened(drawn).size == (40, 60) and not opened(drawn).getexif()
    seen = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    out = BytesIO()
    seen.save(out, "PNG")
    assert opened(still(out.getvalue())).mode == "RGBA", "what is transparent stays so"
    palette, deep, grey = (BytesIO() for _ in range(3))
    Image.new("P", (8, 8)).save(palette, "PNG")
    Image.new("I;16", (8, 8)).save(deep, "PNG")
    Image.new("CMYK", (8, 8)).save(grey, "JPEG")
    for each in (palette, deep, grey):
        assert opened(still(each.getvalue())).size == (8, 8)


def test_what_is_none_or_too_large_is_refused_before_it_is_unpacked() -> None:
    for content in (
        b"",
        b"words",
        SVG,
        drawing()[:50],
        drawing("TIFF"),
        drawing("BMP"),
        bomb(),
        bomb(2**31 - 1, 2**31 - 1),
        bomb(5001, 5000),
    ):
        with pytest.raises(NoPicture):
            still(content)
    large = BytesIO()
    Image.new("1", (5001, 5000)).save(large, "PNG")  # whole, and only too large
    with pytest.raises(NoPicture, match="5001 × 5000 pixels are too many"):
        still(large.getvalue())
