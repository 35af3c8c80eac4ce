"""One tree, one meaning: PostgreSQL and Python pick the same things, whatever the things are."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from helpdesk.lib.conditions import clean, matches, to_q, words
from tests.lib import things
from tests.lib.things import NOW, Thing


@pytest.fixture(scope="module", autouse=True)
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), things.tables():
        yield


# Shrinking a world takes minutes: the words of the condition in the failure say enough to begin with.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


def picked(tree: Any) -> set[int]:
    return set(Thing.objects.filter(to_q(tree, "thing", NOW)).values_list("pk", flat=True))


@pytest.mark.django_db
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(things.world, st.lists(things.trees(), min_size=1, max_size=8))
def test_sql_and_python_pick_the_same(rows: list[Any], trees: list[Any]) -> None:
    with transaction.atomic():
        everything = things.fill(rows)
        for tree in trees:
            stored = clean(tree, "thing")
            assert clean(stored, "thing") == stored
            assert words(stored, "thing")
            in_sql = picked(stored)
            in_python = [thing.pk for thing in everything if matches(stored, "thing", thing, NOW)]
            assert in_sql == set(in_python), words(stored, "thing")
            assert in_sql == set(Thing.objects.filter(to_q(stored, "thing", NOW, few=True)).values_list("pk", flat=True))
            assert len(picked({"not": stored})) == len(everything) - len(in_python)
        transaction.set_rollback(True)
