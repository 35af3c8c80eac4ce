"""Pictures for the tests, and things that pretend to be some."""

import struct
import zlib
from io import BytesIO

from PIL import Image

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'


def drawing(kind: str = "PNG", size: tuple[int, int] = (60, 40), colour: str = "#2347b5", **how: object) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, kind, **how)
    return out.getvalue()


def bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG of a few kilobytes that says it has this many pixels (CVE-2026-41309 is one of 10,000 × 10,000)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress(b"\0" * 1_000_000)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def opened(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image
