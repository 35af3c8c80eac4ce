"""Where the bench runs: durable servers in a folder that is kept, and a fresh copy of the loaded database for each run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from helpdesk.embedded import defaults
from helpdesk.embedded.servers import Servers

SMALL = 10_000  # tickets and customers of the database that the large one is held against


@dataclass(frozen=True)
class Sizes:
    tickets: int
    customers: int
    events: int
    open: int

    @property
    def name(self) -> str:
        return f"bench_{self.tickets}_{self.customers}_{self.events}_{self.open}"


def sizes(fast: bool) -> Sizes:
    """TICKETS, CUSTOMERS and EVENTS set them, up to a million, a million and ten millions."""
    usual = (20_000, 20_000, 100_000) if fast else (100_000, 100_000, 1_000_000)
    names = ("TICKETS", "CUSTOMERS", "EVENTS")
    return Sizes(*(int(os.environ.get(name, number)) for name, number in zip(names, usual, strict=True)), open=2_000)


def settings_of(folder: Path, web_port: int, sink_port: int) -> None:
    """The settings of this bench, before Django reads them."""
    os.environ.update(
        {
            "DJANGO_SETTINGS_MODULE": "helpdesk.settings",
            "DATABASE_URL": defaults.database_url(folder),
            "REDIS_URL": defaults.redis_url(folder),
            "TWOFOLD_DATA": str(folder),
            "BASE_URL": f"http://127.0.0.1:{web_port}",
            "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
            "MAIL_DOMAIN": "bench.example",
            "MAIL_TRANSPORT": f"smtp://127.0.0.1:{sink_port}",
            "POSTAL_ADDRESS": "1 Letter Lane, 12345 Papertown",
            "LOG_LEVEL": "CRITICAL",
            "SECRET_KEY": "the bench has a key of its own, long enough for every check that counts",
        }
    )


@contextmanager
def servers(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    with Servers(folder):
        yield


def use(name: str) -> None:
    """Let this process, and what it starts from now on, work on another database of the same server."""
    from django.conf import settings
    from django.db import connection, connections

    connections.close_all()
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
    os.environ["DATABASE_URL"] = f"postgresql://twofold@/{name}?host={quote(settings.DATABASES['default']['OPTIONS']['host'])}"


def there(name: str) -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return cursor.fetchone() is not None


def execute(sql: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)


def load(size: Sizes) -> None:
    """Create the database of this size unless an earlier run has left it; half-made ones are made again."""
    from django.core.management import call_command

    use("postgres")
    if there(size.name):
        use(size.name)
        with suppress(Exception):
            call_command("migrate", verbosity=0)  # what has come since
            return
        use("postgres")
    execute(f'DROP DATABASE IF EXISTS "{size.name}" WITH (FORCE)')
    execute("DROP DATABASE IF EXISTS bench_draft WITH (FORCE)")
    execute("CREATE DATABASE bench_draft")
    use("bench_draft")
    call_command("migrate", verbosity=0)
    call_command(
        "load_bench_data", tickets=size.tickets, customers=size.customers, events=size.events, open=size.open, skip_checks=True
    )
    use("postgres")
    execute(f'ALTER DATABASE bench_draft RENAME TO "{size.name}"')


def fresh(size: Sizes, name: str) -> None:
    """A copy of the loaded database, so that no run leaves its rows to the next."""
    use("postgres")
    execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    execute(f'CREATE DATABASE "{name}" TEMPLATE "{size.name}" STRATEGY FILE_COPY')
