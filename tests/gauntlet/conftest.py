"""The world in which every route has something behind it: made once a module, and every test leaves it as it was."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

from helpdesk.accounts.models import Reach, Team, User
from tests.conftest import colleague
from tests.gauntlet.world import World
from tests.outreach.conftest import campaign, happens  # noqa: F401 - fixtures
from tests.tickets.conftest import answered, letter, post, ticket  # noqa: F401 - fixtures of the rows about mail

MAIL = {"BELL": False, "MAIL_TRANSPORT": "file", "POSTAL_ADDRESS": "Twofold, 1 Letter Lane, 12345 Papertown"}


@pytest.fixture(scope="module")
def made(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    """In one transaction that is never committed; what a test does is a savepoint in it."""
    folder = tmp_path_factory.mktemp("world")
    with django_db_blocker.unblock(), transaction.atomic():
        with override_settings(DATA_DIR=folder, **MAIL):
            world = World()
        yield world, folder
        transaction.set_rollback(True)


@pytest.fixture
def world(made: tuple[World, Path], db: None, settings: Any) -> World:
    settings.MAIL_TRANSPORT, settings.DATA_DIR = "file", made[1]
    settings.ANYMAIL = {"MAILGUN_WEBHOOK_SIGNING_KEY": "mailgun-key", "WEBHOOK_SECRET": []}
    return made[0]


@pytest.fixture
def noor(db: None) -> User:
    """An agent who sees only the tickets of another team."""
    user = colleague("Noor Aziz", "agent", reach=Reach.TEAM)
    user.teams.add(Team.objects.create(slug="elsewhere", name="Elsewhere"))
    return user
