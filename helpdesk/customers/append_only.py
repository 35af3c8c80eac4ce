"""The one way in which consent and timeline rows may go: with the erasure of a person, or when they expire."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def erasing() -> Iterator[None]:
    """In here, and in this transaction alone, rows of consent and events may be deleted; never changed.

    Setting and deletion share one transaction, so a crash leaves the door shut. Triggers of migration 0002 hold it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('twofold.erasing', 'on', true)")
        yield
        cursor.execute("SELECT set_config('twofold.erasing', 'off', true)")
