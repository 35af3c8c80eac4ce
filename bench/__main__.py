"""`make bench`: every row of the design's measures that exists, as a ratio within one run; `make bench FAST=1` in three minutes.

Words after the command choose modules of ``bench.rows``: `python -m bench events sending`.
"""

import json
import os
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

from bench import place
from bench.web import listen

ROOT = Path(__file__).resolve().parents[1]
ROWS = ["reading", "weights", "paint", "servers", "intake", "incoming", "events", "rules", "flow", "sending", "senders", "starts"]


def main(chosen: list[str]) -> int:
    fast = os.environ.get("FAST", "") not in ("", "0")
    size = place.sizes(fast)
    folder = Path(os.environ.get("BENCH_DATA") or ROOT / "var" / "bench").resolve()
    with listen() as web, listen() as sink:
        ports = web.getsockname()[1], sink.getsockname()[1]
    place.settings_of(folder, *ports)
    began = time.monotonic()
    with place.servers(folder):
        import django

        django.setup()
        from bench.measure import Results, line

        results = Results(fast)
        place.load(size)
        place.fresh(size, "bench_run")
        place.use("bench_run")
        loaded = f"{size.tickets:,} tickets, {size.customers:,} customers, {size.events:,} events"
        results.note(f"{loaded}; ready after {time.monotonic() - began:.0f} s")
        for name in chosen or ROWS:
            try:
                import_module(f"bench.rows.{name}").measure(results, size)
            except Exception as error:  # one part that cannot be measured does not hide the others
                traceback.print_exc()
                results.failed(name, error)
        place.use("postgres")
        place.execute('DROP DATABASE "bench_run" WITH (FORCE)')
    results.note(f"all in {time.monotonic() - began:.0f} s")
    if not chosen:
        (ROOT / "bench" / "results.json").write_text(json.dumps(results.as_json(), indent=1, ensure_ascii=False) + "\n")
    print("\n", *(line(row) for row in results.rows), sep="\n")
    return 0 if all(row.ok for row in results.rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
