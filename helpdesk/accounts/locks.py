"""One at a time, where no row is there yet that could be locked."""

from django.db import connection


def one_at_a_time(name: str) -> None:
    """Hold back whoever asks for the same name until this transaction ends: the second of two clicks sees the first's row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
