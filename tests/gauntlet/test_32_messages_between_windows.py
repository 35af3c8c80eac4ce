"""Row 32: no page listens to messages of other windows, so there is no origin to forget to check."""

import re
from importlib.resources import files
from pathlib import Path

from django.conf import settings

LISTENS = re.compile(r"""addEventListener\(\s*["'`]message["'`]|\bonmessage\b|\bpostMessage\b""")


def test_nobody_listens() -> None:
    ours = list((Path(settings.BASE_DIR) / "helpdesk/static").rglob("*.js"))
    theirs = [Path(str(files("django_htmx") / "static/django_htmx/htmx-2.min.js"))]
    assert len(ours) > 15 and LISTENS.search("window.addEventListener('message', run)")
    assert [path.name for path in ours + theirs if LISTENS.search(path.read_text())] == []
