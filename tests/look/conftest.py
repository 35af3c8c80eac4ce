"""A real Chromium before a real server with collected, hashed, compressed files: what a browser gets is what is tested."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.test import override_settings

from helpdesk.accounts.models import Role
from tests import chromium
from tests.conftest import colleague


@pytest.fixture(scope="package")
def site(django_db_setup: None, django_db_blocker: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with the look's own pages; Ana's session is in `site_session`."""
    own = override_settings(
        ROOT_URLCONF="tests.look.urls",
        RAIL={"places": ["tests.look.urls.places"], "views": "tests.look.urls.views"},
        PALETTE=["tests.look.urls.found"],
        STYLEGUIDE=True,
        WORKSPACE_NAME="Nordwind",
    )
    with own, chromium.site(tmp_path_factory.mktemp("static")) as address:
        yield address


@pytest.fixture(scope="package")
def site_session(site: str, django_db_blocker: object) -> Iterator[str]:
    """Ana's session, committed, for the server has its own connection; gone with the package."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        ana = colleague("Ana Kowalczyk", Role.AGENT, email="ana@look.example")
        session = chromium.session_of(ana)
    yield session
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        SessionStore(session).flush()
        ana.delete()


@pytest.fixture(scope="package")
def chrome() -> Iterator[object]:
    with chromium.running() as browser:
        yield browser


@pytest.fixture
def tab(chrome: object, site: str, site_session: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., object]]:
    """`tab(width=…, theme=…, script=…)`: a tab in which Ana is signed in; whatever the page complains of fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_tab(width: int = 1440, height: int = 900, theme: str = "light", script: bool = True, stranger: bool = False) -> Any:
        context = chrome.new_context(  # type: ignore[attr-defined]
            base_url=site, viewport={"width": width, "height": height}, color_scheme=theme, java_script_enabled=script
        )
        contexts.append(context)
        if not stranger:
            chromium.sign_in(context, site_session, site)
        return chromium.page_in(context, complaints)

    yield open_tab
    for context in contexts:
        context.close()
    allowed = getattr(request.node, "complaints_allowed", ())
    assert [c for c in complaints if not any(a in c for a in allowed)] == []
