"""Pages that people look at all day: time in the server, statements, and how both grow with what is in the database."""

from collections.abc import Callable

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from bench import place
from bench.measure import Results, in_turn, p95, seconds, statements
from bench.place import SMALL, Sizes
from helpdesk.demo.management.commands.load_bench_data import LONG, SHORT
from tickets import listing, queues, search
from tickets.models import Ticket


def browser() -> Client:
    """An agent's browser, signed in on the database of the moment."""
    client = Client()
    client.force_login(get_user_model().objects.get(email="agent-5@bench.example"))
    return client


def times(client: Client, path: str, number: int) -> float:
    """p95 of the seconds of this many requests."""
    for _ in range(2):
        assert client.get(path).status_code == 200, path
    return p95([seconds(lambda: client.get(path)) for _ in range(number)])


def measure(results: Results, size: Sizes) -> None:
    number, rounds = (15, 3) if results.fast else (40, 5)
    small = Sizes(SMALL, SMALL, 10 * SMALL, size.open)
    place.load(small)
    place.fresh(small, "bench_small")
    browsers = {}
    for name in ("bench_small", "bench_run"):
        place.use(name)
        browsers[name] = browser()

    def on(name: str, path: str) -> Callable[[], float]:
        def run() -> float:
            place.use(name)
            return times(browsers[name], path, number)

        return run

    for title, path in (("inbox with its counts", "/inbox/"), ("all open tickets", "/inbox/open/")):
        large, little = in_turn(rounds, on("bench_run", path), on("bench_small", path))
        results.at_most(
            f"{title}, p95, {size.tickets:,} tickets against {SMALL:,}", large * 1000, "ms", limit=little * 1000, budget=1.3
        )
    place.use("bench_run")
    client = browsers["bench_run"]
    with statements() as seen:
        client.get("/inbox/")
    results.count("inbox with its counts", len(seen), "statements", budget=12)
    results.count(
        "all counts of the inbox", sum("COUNT(" in sql and "tickets_ticket" in sql for sql in seen), "statements", budget=1
    )

    pages = {wanted: f"/tickets/{Ticket.objects.get(attributes__bench=f'{wanted} messages').number}/" for wanted in (LONG, SHORT)}
    long, short = in_turn(rounds, *(lambda path=path: times(client, path, number) for path in pages.values()))
    results.at_most(f"ticket page, p95, {LONG} messages against {SHORT}", long * 1000, "ms", limit=short * 1000, budget=1.5)
    for wanted, path in pages.items():
        with statements() as seen:
            client.get(path)
        results.count(f"ticket page of {wanted} messages", len(seen), "statements", budget=15)
    _search(results, client, number, rounds)
    place.use("postgres")
    place.execute('DROP DATABASE IF EXISTS "bench_small" WITH (FORCE)')
    place.use("bench_run")


def _search(results: Results, client: Client, number: int, rounds: int) -> None:
    """Finding and fetching the first page, against the one statement it ends in, sent again by hand."""
    reader = get_user_model().objects.get(email="agent-5@bench.example")
    sent: list[tuple[str, object]] = []

    def find() -> None:
        listing.page(search.search(reader, "refund invoice"), queues.VIEWS["open"], reader)

    def watch(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        find()
    sql, params = max(sent, key=lambda each: len(each[0]))

    def statement() -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            cursor.fetchall()

    found, bare = in_turn(rounds, *(lambda run=run: p95([seconds(run) for _ in range(number)]) for run in (find, statement)))
    results.at_most("search by words, p95, against its statement", found * 1000, "ms", limit=bare * 1000, budget=2)
