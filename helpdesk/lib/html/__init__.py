"""HTML from people and other programs: the one door through which it reaches a page."""

from helpdesk.lib.html.letter import styled, with_pictures
from helpdesk.lib.html.sanitiser import from_markdown, from_text, remote_pictures, sanitize
from helpdesk.lib.html.text import to_text

__all__ = ["from_markdown", "from_text", "remote_pictures", "sanitize", "styled", "to_text", "with_pictures"]
