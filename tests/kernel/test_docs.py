"""What the documentation says is so."""

import re
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)


def test_every_event_kind_is_documented_and_nothing_else():
    told = set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)`", (ROOT / "docs/events.md").read_text(), re.MULTILINE))
    assert told == set(settings.EVENT_SUBSCRIBERS) - {"*external*"}


def test_every_kind_has_a_line_for_the_timeline():
    missing = [
        kind
        for kind in settings.EVENT_SUBSCRIBERS
        if kind != "*external*" and not (ROOT / "templates/timeline" / (kind.replace(".", "/") + ".html")).exists()
    ]
    assert missing == []


def test_every_dependency_is_pinned_and_has_its_reason():
    reasons = (ROOT / "docs/dependencies.md").read_text()
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if line.strip() and not line.startswith(("#", "-r")):
                package, _, version = line.partition("==")
                assert version, f"{line} is not pinned"
                base = package.split("[")[0]
                assert base in reasons or base.endswith(("-stubs", "-types")), f"{base} has no reason in docs/dependencies.md"


def test_links_between_pages_of_the_documentation_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
