"""Pictures drawn anew: what a browser is given was encoded by us, whatever came. Nothing of the original is left but its look."""

import struct
import threading
from io import BytesIO

from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
SIZES = {"small": 160, "large": 1600}  # pixels of the longer side
# A picture this large takes 100 MB for a moment; a JPEG is decoded at the size that is wanted. The telephones of today
# make 50 million pixels.
MOST_PIXELS = 25_000_000
MOST_PIXELS_JPEG = 50_000_000
MEDIA_TYPE = "image/webp"
# Pictures drawn at a time by one process, and its threads that draw or wait for their turn: a mail full of large pictures
# leaves threads for others.
AT_ONCE, IN_ALL = 2, 4
_turn, _inside = threading.BoundedSemaphore(AT_ONCE), threading.BoundedSemaphore(IN_ALL)


class NoPicture(ValueError):
    """These bytes are no picture that we would draw: another format, broken, or far too many pixels. Permanent."""


class Busy(Exception):
    """Too many pictures are being drawn or fetched just now; ask again in a second."""


def still(content: bytes, size: str = "large") -> bytes:
    """The first frame as WebP within SIZES[size] pixels, turned as its camera says, without metadata.

    Raises NoPicture, and Busy.
    """
    if not _inside.acquire(blocking=False):
        raise Busy
    try:
        return _drawn(content, SIZES[size])
    finally:
        _inside.release()


def _drawn(content: bytes, most: int) -> bytes:
    try:
        with _turn, Image.open(BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            scales = image.format in ("JPEG", "MPO")  # MPO: a telephone's JPEG with a second one behind it
            if width * height > (MOST_PIXELS_JPEG if scales else MOST_PIXELS):
                raise NoPicture(f"{width} × {height} pixels are too many")
            drawn: Image.Image = image
            if not scales:
                drawn = image.convert("L") if image.mode[0] in "IF" else image.convert("RGBA")  # 16 bits of grey
            drawn.thumbnail((most, most))
            drawn = ImageOps.exif_transpose(drawn)
            out = BytesIO()
            drawn.convert("RGBA" if drawn.mode == "RGBA" else "RGB").save(
                out, "WEBP", quality=82, method=2, exif=b"", xmp=b"", icc_profile=b""
            )
            return out.getvalue()
    except NoPicture:
        raise
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, SyntaxError, MemoryError, struct.error) as error:
        raise NoPicture(f"{type(error).__name__}: {error}") from error
    except Image.DecompressionBombError as error:
        raise NoPicture(str(error)) from error
