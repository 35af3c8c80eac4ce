"""`make chaos`: ten minutes of kill -9, or `--seconds 20`. The exit status says whether every promise was kept."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.chaos import scene as setting


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--broker-away", type=float, default=0, help="seconds; a minute unless the play is short")
    parser.add_argument("--kill-every", type=float, default=0.06, help="seconds, on average")
    parser.add_argument(
        "--prepare",
        default="",
        help="dotted name of a function called in every process before it works: "
        "how the tests break the product, to see this go red",
    )
    parser.add_argument("--folder", default="", help="where to play; kept afterwards when it is given")
    parser.add_argument("--json", action="store_true", help="print one JSON line instead of the table")
    options = parser.parse_args()
    folder = Path(options.folder or tempfile.mkdtemp(prefix="twofold-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        said = play(folder, options)
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps(said))
    else:
        for name, figure in said["figures"].items():
            print(f"{figure:>9,}  {name}")
        print(*(f"WRONG: {each}" for each in said["wrong"]), sep="\n")
    return 1 if said["wrong"] else 0


def play(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Build, break, let it come to rest, compare."""
    began = time.monotonic()
    scene = setting.build(folder)
    from django.utils.module_loading import import_string

    from bench.chaos import faults, load, sink, verdict, workers

    long = options.seconds >= 120
    pace = faults.Pace(kill=options.kill_every, broker_away=options.broker_away or (60 if long else 2))
    if long:
        pace.flush, pace.broker, pace.database, pace.stop = 15, 180, 30, 20
    play = faults.Play(scene, pace, import_string(options.prepare) if options.prepare else None)
    helpers: list[int] = []
    workers.load()
    try:
        helpers.append(workers.helper(lambda: sink.serve(scene.sink, scene.sink_list)))
        play.fill()
        writer = workers.helper(load.Load(scene).run)
        helpers.append(writer)
        built = time.monotonic()
        play.run(options.seconds)
        play.fill()
        os.kill(writer, signal.SIGTERM)
        stopped = time.monotonic()
        while not os.waitpid(writer, os.WNOHANG)[0]:
            play.reap()
            play.fill()
            time.sleep(0.05)
            if time.monotonic() - stopped > 60:
                raise RuntimeError("the load could not finish: nobody answers")
        helpers.remove(writer)
        left = verdict.quiet(play, patience=3 * setting.LEASE + 30)
        play.kill_all()
        said = verdict.judge(scene, play, left)
        said.figures |= {f"fault: {name}": count for name, count in sorted(play.faults.items())}
        said.figures |= {f"killed: {name}": count for name, count in sorted(play.deaths.items())}
        said.figures |= {"seconds to build": int(built - began), "seconds to rest": int(time.monotonic() - stopped)}
        return {"figures": said.figures, "wrong": said.wrong}
    finally:
        play.kill_all()
        for pid in helpers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        scene.servers.__exit__()


if __name__ == "__main__":
    sys.exit(main())
