"""What can be proved of the files alone: contrast, one home for colours, nothing inline, nothing from elsewhere."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from helpdesk import styleguide

ROOT = Path(settings.BASE_DIR)
CSS = sorted((ROOT / "helpdesk/static/css").glob("*.css"))
JS = sorted((ROOT / "helpdesk/static/js").glob("*.js"))
PAGES = [p for p in (ROOT / "templates").rglob("*.html") if "mail" not in p.relative_to(ROOT / "templates").parts]


def test_the_ratio_is_the_standard_s():
    """WCAG 2.2: black on white is 21, and #777 on white just misses 4.5."""
    assert styleguide.ratio("#000000", "#ffffff") == pytest.approx(21)
    assert styleguide.ratio("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_promised_pair_can_be_read(theme):
    rows = styleguide.ratios()
    assert len(rows) > 50
    assert [(r["front"], r["back"], round(r[theme], 2)) for r in rows if r[theme] < r["floor"]] == []


def test_colours_live_in_one_file_and_every_variable_has_a_home():
    homes = set(re.findall(r"(--[\w-]+):", (ROOT / "helpdesk/static/css/tokens.css").read_text()))
    for sheet in CSS:
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.S)
        assert set(re.findall(r"var\((--[\w-]+)\)", text)) - homes == set(), sheet.name
        if sheet.name != "tokens.css":
            stray = re.findall(r":[^;{]*(#[0-9a-f]{3,8}\b|rgba?\(|hsla?\()", text)
            assert stray == [], sheet.name


def test_every_sheet_speaks_in_a_layer():
    for sheet in CSS:
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.S)
        depth, outside = 0, []
        for part in re.findall(r"[^{}]*[{}]", text):
            if depth == 0 and part.strip() != "}" and not part.strip().startswith("@layer"):
                outside.append(part.strip()[:40])
            depth += 1 if part.endswith("{") else -1
        assert outside == [], sheet.name
        assert depth == 0, sheet.name


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT / "templates")))
def test_no_template_needs_unsafe_inline(page):
    text = page.read_text()
    assert re.search(r"\sstyle\s*=", text) is None
    assert re.search(r"\son[a-z]+\s*=", re.sub(r"{%.*?%}", "", text)) is None
    assert "<style" not in text and "javascript:" not in text and "hx-on" not in text
    for script in re.findall(r"<script\b[^>]*>", text):
        assert " src=" in script or 'type="application/json"' in script, script


def test_nothing_is_fetched_from_elsewhere():
    for file in [*CSS, *JS, *PAGES]:
        found = re.findall(r"""(?:src|href|url|import)\s*[=(]\s*["']?(https?:|//)""", file.read_text())
        assert found == [], file.name


def test_the_policy_allows_nothing_unsafe():
    words = [w for values in settings.CONTENT_SECURITY_POLICY["DIRECTIVES"].values() for w in values]
    assert [w for w in words if "unsafe" in str(w) or str(w) in {"*", "https:", "http:"}] == []
    assert settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["default-src"] == ["'none'"]
