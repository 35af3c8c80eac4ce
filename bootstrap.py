#!/usr/bin/env python3
"""From an empty clone to everything: python3 bootstrap.py run | install | test | check | test-long | bench | screenshots | chaos

Standard library only. Makes .venv, installs the pinned requirements when they have changed, and starts what was asked
for. `make` calls this file; without make it is the way in. Its syntax is that of Python 3.6, to tell old ones so.
"""

import ctypes
import fcntl
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
VERSION = sys.version_info[:2]
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = str(VENV / "bin" / "python")
SYSTEM = {  # Debian package → what it puts in place, and what is skipped without it
    "chromium": ("/usr/bin/chromium", "tests in a browser, screenshots"),
    "dovecot-imapd": ("/usr/sbin/dovecot", "tests against a real IMAP server"),
    "postfix": ("/usr/sbin/smtp-source", "tests with smtp-source and smtp-sink"),
    "fonts-liberation": ("/usr/share/fonts/truetype/liberation", "the same letters in every screenshot"),
    "fonts-noto-core": ("/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf", "other scripts in screenshots"),
    "fonts-noto-cjk": ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", "Chinese, Japanese and Korean in screenshots"),
    "fonts-noto-color-emoji": ("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf", "emoji in screenshots"),
}
CHECKS = {
    "ruff check": ["-m", "ruff", "check"],
    "ruff format": ["-m", "ruff", "format", "--check"],
    "mypy": ["-m", "mypy"],
    "import contracts": ["-c", "from importlinter.cli import lint_imports_command as check; check()"],
    "check --deploy": ["manage.py", "check", "--deploy", "--fail-level", "WARNING"],
    "migrations": ["-W", "ignore::RuntimeWarning", "manage.py", "makemigrations", "--check", "--dry-run"],
}
# For the checks, an installation as the internet would see it.
DEPLOYED = {"BASE_URL": "https://help.example.org", "SECRET_KEY": hashlib.sha512(os.urandom(64)).hexdigest()}


def main():
    """The first argument says what; the others go on to it."""
    what, rest = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    doors = {
        "run": lambda: become("manage.py", "up", *rest),
        "install": lambda: None,
        "test": lambda: (install_system_packages(), test(rest)),
        "check": lambda: test(rest),
        "test-long": lambda: become("-m", "pytest", "-m", "long", *rest),
        "bench": lambda: become("-m", "bench", *rest),
        "chaos": lambda: become("-m", "bench.chaos", *rest),
        "screenshots": lambda: (
            install_system_packages(),
            become("-m", "helpdesk.embedded", PYTHON, "-m", "bench.screenshots", *rest),
        ),
    }
    if what not in doors:
        stop(__doc__.splitlines()[0])
    find_python()
    alone = os.open(str(ROOT), os.O_RDONLY)
    fcntl.flock(alone, fcntl.LOCK_EX)  # two commands in an empty clone: the second waits for what the first installs
    make_venv()
    install("requirements.txt" if what in ("run", "install") else "requirements-dev.txt")
    os.close(alone)
    doors[what]()


def find_python():
    """Leave this interpreter for a newer one when it is too old."""
    if VERSION >= OLDEST:
        return
    for minor in range(19, OLDEST[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            os.execv(newer, [newer, *sys.argv])
    oldest = ".".join(map(str, OLDEST))
    stop(f"Twofold needs Python {oldest} or newer and this is {platform.python_version()}: install one and use it instead")


def make_venv():
    """The virtual environment; made again when it is half-made or its Python is gone or another version."""
    if not os.access(str(ROOT), os.W_OK):
        stop(f"{ROOT} cannot be written by this user: make a clone of your own, or change its owner")
    works = f"import sys; sys.exit(sys.version_info[:2] != {VERSION})"
    if os.access(PYTHON, os.X_OK) and subprocess.call([PYTHON, "-c", works], stderr=subprocess.DEVNULL) == 0:
        return
    if VENV.exists() and not os.access(str(VENV), os.W_OK):
        stop(f"{VENV} belongs to another user: remove it, or make a clone of your own")
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        package = "python{}.{}-venv".format(*VERSION)
        stop(f"This Python cannot make virtual environments; on Debian and Ubuntu: apt-get install {package}")
    say(f"Making .venv with Python {platform.python_version()}")
    try:
        venv.create(str(VENV), with_pip=False, clear=True, symlinks=True)
    except OSError as error:
        stop(f"Cannot make {VENV}: {error}")


def install(requirements):
    """Install what is pinned, unless exactly this has been installed before."""
    stamp = VENV / "installed"
    wanted = [digest("requirements.txt")]
    if requirements != "requirements.txt":
        wanted.append(digest(requirements))
    installed = stamp.read_text().split() if stamp.exists() else []
    if installed[: len(wanted)] == wanted:
        return
    say(f"Installing {requirements}: ten seconds to half a minute")
    named = ["--quiet", "--quiet", "--requirement", str(ROOT / requirements)]
    uv = [PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON]
    if sys.dont_write_bytecode:
        uv.append("--compile-bytecode")
    pip = [*find_pip(), "install", "--disable-pip-version-check", "--no-input"]
    pinned = [line for line in (ROOT / "requirements.txt").read_text().split() if line.startswith("uv==")]
    ready = subprocess.call([*pip, "--quiet", "--no-compile", *pinned], stderr=subprocess.DEVNULL) == 0
    # where only pip is told where packages are, uv finds none: then pip installs, and says what is wrong
    if not (ready and subprocess.call([*uv, *named], stderr=subprocess.DEVNULL) == 0) and subprocess.call([*pip, *named]):
        stop(f"pip could not install {requirements}: the lines above say why; try again when that is mended")
    # so that plain `pytest` finds us, as an editable installation would
    (VENV / "lib" / "python{}.{}".format(*VERSION) / "site-packages" / "twofold.pth").write_text(f"{ROOT}\n")
    stamp.write_text("\n".join(wanted) + "\n")


def find_pip():
    """The pip that comes with Python, run out of its wheel; only where that is nowhere is it installed, for eight seconds."""
    import ensurepip

    for folder in (Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels")):
        for wheel in folder.glob("pip-*.whl"):
            return [PYTHON, str(wheel / "pip")]
    subprocess.check_call([PYTHON, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
    return [PYTHON, "-m", "pip"]


def install_system_packages():
    """As root on Debian, what browser and mail tests need; elsewhere say what is skipped."""
    debian = Path("/etc/debian_version").exists() and shutil.which("apt-get")
    absent = missing()
    if absent and debian and os.geteuid() == 0:
        say(f"Installing with apt: {', '.join(absent)}")
        log = VENV / "apt.log"
        command = ["apt-get", "install", "--yes", "--no-install-recommends", *absent]
        with log.open("wb") as output:
            # the first try fails on a machine whose lists are empty or old
            if apt(command, output) and apt(["apt-get", "update"], output) == 0:
                apt(command, output)
        absent = missing()
        if absent:
            say(f"apt could not install everything; {log} says why")
    for name in absent:
        say(f"Skipped for want of {name}: {SYSTEM[name][1]}")
    if absent and debian and os.geteuid() != 0:
        say(f"To have it all: sudo apt-get install --no-install-recommends {' '.join(absent)}")


def missing():
    """The Debian packages whose files are not here."""
    return [name for name, (path, _) in SYSTEM.items() if not Path(path).exists()]


def apt(command, output):
    """Run apt without questions; its exit status."""
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    return subprocess.call(command, env=quiet, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def test(arguments):
    """All checks, also when one fails, then all tests: pytest's summary comes last, but for what failed before."""
    failed = []
    for name, command in CHECKS.items():
        result = subprocess.run(
            [PYTHON, *command],
            cwd=str(ROOT),
            env=dict(os.environ, **DEPLOYED),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        say(f"{name:<18} {'failed' if result.returncode else 'ok'}")
        if result.returncode:
            failed.append(name)
            say(result.stdout.decode(errors="replace"))
    status = subprocess.call([PYTHON, "-m", "pytest", "-n", "2", *arguments], cwd=str(ROOT))
    if failed:
        stop(f"Checks that failed before the tests: {', '.join(failed)}")
    sys.exit(status)


def become(*arguments):
    """Turn into the process asked for, so that signals reach it and nothing stands between."""
    if "MAKELEVEL" in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG: a killed make ends us as well
    os.chdir(str(ROOT))
    os.execv(PYTHON, [PYTHON, *arguments])


def digest(name):
    """Of a file's content, to see whether it has changed."""
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


def say(text):
    """One line at once, also into a pipe."""
    print(text, flush=True)


def stop(text):
    """One line that says what to do, and the end."""
    sys.stdout.flush()
    sys.stderr.write(text + "\n")
    sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
