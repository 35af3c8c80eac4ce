"""The servers of this very run, and the ones that a folder of its own gets."""

import os

import pytest
import redis
from django.conf import settings
from django.db import connection


@pytest.mark.django_db
def test_the_run_has_a_real_postgresql_with_utf8_and_its_extensions() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), lower('ÄÖ')")
        number, encoding, lowered = cursor.fetchone()
        cursor.execute("SELECT name FROM pg_available_extensions")
        extensions = {name for (name,) in cursor.fetchall()}
    assert number >= 150000 and encoding == "UTF8" and lowered == "äö"
    assert {"pg_trgm", "unaccent", "citext", "btree_gin"} <= extensions


def test_the_run_has_a_real_valkey() -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.set("seen", "yes", ex=5)
    assert client.get("seen") == b"yes"
    assert os.environ["SECRET_KEY"] == settings.SECRET_KEY
