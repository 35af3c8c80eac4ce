"""Reading mail: `read(raw)` turns any bytes at all into a Mail; `read_guarded(raw)` does so within limits of time and memory."""

from .addresses import Address
from .bounces import Bounce
from .guard import TooHard, read_guarded
from .mail import Attachment, Mail
from .message import glance, read

__all__ = ["Address", "Attachment", "Bounce", "Mail", "TooHard", "glance", "read", "read_guarded"]
