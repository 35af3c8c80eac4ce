"""What the documentation says is so."""

import re
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command, get_commands

from helpdesk.accounts.models import ApiToken, Scope

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


def test_every_dependency_is_pinned_and_has_a_row_of_its_own_with_the_reason():
    rows = re.findall(r"^\| ([^|]+) \| [^|]{10,} \|$", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    reasons = {re.split(r"[\s\[]", name.strip())[0] for row in rows for name in row.split(",")}
    pinned = set()
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if line.strip() and not line.startswith(("#", "-r")):
                package, _, version = line.partition("==")
                assert version, f"{line} is not pinned"
                pinned.add(package.split("[")[0])
    stubs = {package for package in pinned if package.endswith(("-stubs", "-types"))}  # "mypy and stubs"
    assert pinned - stubs - reasons == set()
    assert reasons - pinned == set(), "a reason for what is not there"


def read_from_the_environment() -> set[str]:
    """Every variable that the code asks for, by the shape of the asking."""
    shapes = (
        r"""\benv\.\w+\(\s*["'](\w+)["']""",
        r"""\benviron(?:\.get|\.setdefault)?[\[(]\s*["'](\w+)["']""",
        r"""["'](\w+)["'](?: not)? in os\.environ""",
    )
    files = [*ROOT.glob("helpdesk/**/*.py"), *ROOT.glob("tickets/**/*.py"), *ROOT.glob("outreach/**/*.py")]
    return {name for path in files for shape in shapes for name in re.findall(shape, path.read_text())}


# set by others for us, or by us for our own processes and tests
NO_SETTING = {"PATH", "DJANGO_SETTINGS_MODULE", "PYTEST_XDIST_WORKER"}


def test_the_table_of_the_environment_is_whole_and_names_nothing_else():
    page = (ROOT / "docs/operations.md").read_text()
    table = page.partition("## Environment")[2].partition("\n## ")[0]
    told = {
        name for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row)
    }
    asked = read_from_the_environment() - NO_SETTING
    assert {"DATABASE_URL", "TWOFOLD_WEB_THREADS", "NO_COLOR", "UNDO_SEND"} <= asked
    assert asked - told == set(), "not in the table"
    assert told - asked == set(), "nobody reads it"


def test_no_page_speaks_of_what_is_not_there():
    """Paths in backticks, commands of manage.py, and tables of the settings."""
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        text = page.read_text()
        for path in re.findall(r"`((?:helpdesk|tickets|outreach|tests|docs|templates|customers|mail|live|lib)/[\w/.-]+)", text):
            bare = path.removesuffix("/").removesuffix("::")
            found = any(
                (ROOT / root / (bare + end)).exists() for root in ("", "helpdesk", "helpdesk/customers") for end in ("", ".py")
            )
            assert found, f"{page.name}: {path}"
        for command in re.findall(r"manage\.py ([a-z_]+)", text):
            assert command in get_commands(), f"{page.name}: manage.py {command}"
        for table in re.findall(r"`settings\.([A-Z_]+)`", text):
            assert hasattr(settings, table), f"{page.name}: {table}"


def test_links_between_pages_of_the_documentation_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.django_db
def test_the_calls_of_the_api_page_work_on_the_demo(client):
    call_command("load_demo", stdout=StringIO())
    text = ApiToken.objects.issue("docs", [scope.value for scope in Scope])[1]
    calls = re.findall(r"\$URL(/api/v1/\S+).*?-d '(\{.*?\})'", (ROOT / "docs/api.md").read_text(), re.DOTALL)
    answers = [
        (path, client.post(path, body, "application/json", headers={"authorization": f"Bearer {text}"})) for path, body in calls
    ]
    assert [(path, answer.status_code) for path, answer in answers] == [
        ("/api/v1/customers", 200),
        ("/api/v1/events", 201),
        ("/api/v1/tickets", 201),
    ]
