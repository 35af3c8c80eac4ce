"""From the command to the first page: an installation that has run before, and an empty clone with a warm package cache."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench.measure import Results
from bench.place import Sizes
from bench.web import listen

ROOT = Path(__file__).resolve().parents[2]
COLD, WARM = 30, 5  # seconds


def measure(results: Results, size: Sizes) -> None:
    folder = Path(tempfile.mkdtemp(prefix="twofold-start-"))
    folder.chmod(0o711)
    try:
        up([sys.executable, "manage.py", "up"], ROOT, folder / "data")
        warm = min(up([sys.executable, "manage.py", "up"], ROOT, folder / "data") for _ in range(2))
        results.add_seconds("warm start to the first page", warm, budget=WARM)
        if results.fast:
            results.note("cold start: only in the full run")
            return
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder / "clone")], check=True)
        cold = up([shutil.which("python3") or sys.executable, "bootstrap.py", "run"], folder / "clone", folder / "cold")
        results.add_seconds("cold start of an empty clone to the first page, package cache warm", cold, budget=COLD)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def up(command: list[str], cwd: Path, data: Path) -> float:
    """Seconds until the first page is there; then it is stopped in order."""
    with listen() as web, listen() as smtp:
        port, smtp_port = web.getsockname()[1], smtp.getsockname()[1]
    left_out = {"DATABASE_URL", "REDIS_URL", "BASE_URL", "MAIL_TRANSPORT", "SECRET_KEY", "MAIL_DOMAIN", "LOG_LEVEL", "PYTHONPATH"}
    left_out.add("PYTHONDONTWRITEBYTECODE")  # nobody who starts us by hand has it
    environ = {name: value for name, value in os.environ.items() if name not in left_out}
    environ |= {"TWOFOLD_DATA": str(data), "TWOFOLD_PORT": str(port), "TWOFOLD_SMTP_PORT": str(smtp_port)}
    began = time.perf_counter()
    with data.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(command, cwd=cwd, env=environ, stdout=log, stderr=log, start_new_session=True)
        try:
            while time.perf_counter() - began < 180:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/write/", timeout=5) as page:
                        assert page.status == 200
                        return time.perf_counter() - began
                except OSError:
                    if process.poll() is not None:
                        break
                    time.sleep(0.02)
            raise RuntimeError(f"it did not come up: {Path(log.name).read_text()[-500:]}")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
