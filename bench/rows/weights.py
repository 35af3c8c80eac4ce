"""What a browser fetches for a page the first time, as compressed as we serve it."""

import gzip
import re
from pathlib import Path
from urllib.parse import urljoin

from django.conf import settings
from django.core.management import call_command
from django.test import Client

from bench.measure import Results
from bench.place import Sizes
from bench.rows.reading import browser
from tickets.models import LIVE, Ticket

LINKED = re.compile(r'<(?:link|script|img|use)[^>]+?(?:href|src)="(/static/[^"#?]+)')
IMPORTED = re.compile(
    r'(?:from|import)\s*\(?\s*["\'](\.{0,2}/[^"\']+\.js)["\']|url\(["\']?([^"\')#?]+)["\']?\)|@import\s+["\']([^"\']+)["\']'
)


def measure(results: Results, size: Sizes) -> None:
    call_command("collectstatic", interactive=False, verbosity=0)
    number = Ticket.objects.filter(status__in=LIVE).order_by("id").values_list("number", flat=True).first()
    for name, client, path, most, scripts in (
        ("inbox", browser(), "/inbox/", 150, 60),
        ("ticket", browser(), f"/tickets/{number}/", 150, 60),
        ("public form", Client(), "/write/", 60, 20),
    ):
        page = client.get(path)
        assert page.status_code == 200, path
        parts = files(page.content.decode())
        total = len(gzip.compress(page.content, 6)) + sum(parts.values())
        script = sum(weight for part, weight in parts.items() if part.endswith(".js"))
        results.count(f"{name}: first load, compressed, {len(parts) + 1} files", total / 1000, "KB", budget=most)
        results.count(f"{name}: scripts, compressed", script / 1000, "KB", budget=scripts)


def files(html: str) -> dict[str, int]:
    """Every file that the page and its files name, with its compressed size."""
    found: dict[str, int] = {}
    waiting = list(dict.fromkeys(LINKED.findall(html)))
    while waiting:
        url = waiting.pop()
        if url in found:
            continue
        path = Path(settings.STATIC_ROOT) / url.removeprefix(settings.STATIC_URL)
        if not path.exists():
            continue
        content = path.read_bytes()
        packed = path.with_name(path.name + ".gz")
        found[url] = packed.stat().st_size if packed.exists() else len(content)
        if path.suffix in (".css", ".js"):
            for match in IMPORTED.findall(content.decode()):
                waiting.append(urljoin(url, next(part for part in match if part)))
    return found
