"""Reading mail: `read(raw)` turns any bytes at all into a Mail; `read_guarded(raw)` does so within limits of time and memory.

`letter_guarded(raw)` says how a mail looks, within the same limits.
"""

from .addresses import Address
from .bounces import Bounce, judged
from .guard import TooHard, letter_guarded, read_guarded
from .mail import Attachment, Mail
from .message import addressed, glance, read

__all__ = [
    "Address",
    "Attachment",
    "Bounce",
    "Mail",
    "TooHard",
    "addressed",
    "glance",
    "judged",
    "letter_guarded",
    "read",
    "read_guarded",
]
