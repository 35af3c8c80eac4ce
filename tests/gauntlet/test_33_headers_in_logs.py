"""Row 33: what a browser or a proxy claims in headers is believed by nobody and marks nothing up in the audit log."""

from typing import Any

import pytest

from helpdesk.accounts.models import AuditEntry
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
SCRIPT = "<script>alert(1)</script>"
CLAIMS = dict.fromkeys(
    (
        "X-Forwarded-For",
        "CF-Connecting-IP",
        "X-Real-IP",
        "Forwarded",
        "True-Client-IP",
        "X-Forwarded-Proto",
        "User-Agent",
        "Referer",
        "X-Request-ID",
        "X-Remote-User",
    ),
    SCRIPT,
)


def test_claims_reach_no_page(client: Any, browser: Any, omar: Any, caplog: pytest.LogCaptureFixture) -> None:
    client.post("/accounts/login/", {"login": "nobody@x.example", "password": SCRIPT}, headers=CLAIMS)
    client.post("/accounts/login/", {"login": omar.email, "password": PASSWORD}, headers=CLAIMS)
    page = browser(omar)
    said = {"name": SCRIPT, "email": "new@nordwind.example", "role": "agent", "reach": "all"}
    assert page.post("/people/new/", said, headers=CLAIMS).status_code == 302
    entries = AuditEntry.objects.all()
    assert entries and all(entry.address is None or SCRIPT not in entry.address for entry in entries)
    shown = page.get("/audit/", headers=CLAIMS).content.decode()
    assert SCRIPT not in shown and "&lt;script&gt;" in shown, "the name is in it, as words"
