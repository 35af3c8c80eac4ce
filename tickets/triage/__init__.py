"""Suggesting topic and team: learned at night from what people filed, asked of what comes in, judged by what people say.

`learning` makes a version, `suggesting` asks it, `deciding` keeps what became of each suggestion, `proof` says where
tickets may be filed without asking.
"""

from tickets.triage.deciding import decide, file_under, on_solved
from tickets.triage.suggesting import on_opened

__all__ = ["decide", "file_under", "on_opened", "on_solved"]
