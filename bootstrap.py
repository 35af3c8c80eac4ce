#!/usr/bin/env python3
"""From an empty clone to everything: python3 bootstrap.py run | test | check | test-long | bench | screenshots | chaos

Standard library only. Makes .venv, installs the pinned requirements when they have changed, and starts what was asked
for. `make` calls this file; without make it is the way in.
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

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
NEEDS = {"run": "requirements.txt"}  # everything else needs requirements-dev.txt, which includes it
SYSTEM = {  # Debian package → what it puts in place, and what is skipped without it
    "chromium": ("/usr/bin/chromium", "tests in a browser, screenshots"),
    "dovecot-imapd": ("/usr/sbin/dovecot", "tests against a real IMAP server"),
    "postfix": ("/usr/sbin/smtp-source", "tests with smtp-source and smtp-sink"),
    "fonts-liberation": ("/usr/share/fonts/truetype/liberation", "the same letters in every screenshot"),
    "fonts-noto-core": ("/usr/share/fonts/truetype/noto", "scripts other than Latin in screenshots"),
    "fonts-noto-color-emoji": ("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf", "emoji in screenshots"),
}
CHECKS = [
    ("ruff check", ["-m", "ruff", "check"]),
    ("ruff format", ["-m", "ruff", "format", "--check"]),
    ("mypy", ["-m", "mypy"]),
    ("import contracts", ["-c", "from importlinter.cli import lint_imports_command as c; c()"]),
    ("check --deploy", ["manage.py", "check", "--deploy", "--fail-level", "WARNING"]),
    ("migrations", ["-W", "ignore::RuntimeWarning", "manage.py", "makemigrations", "--check", "--dry-run"]),
]
# An installation as the internet would see it, for `check --deploy`.
DEPLOYED = {"BASE_URL": "https://help.example.org", "SECRET_KEY": hashlib.sha512(os.urandom(64)).hexdigest()}


def stop(text):
    """One line that says what to do, and the end."""
    sys.stdout.flush()
    sys.stderr.write(text + "\n")
    sys.exit(1)


def fitting_python():
    """Leave this interpreter for a newer one when it is too old."""
    if sys.version_info >= OLDEST:
        return
    for minor in range(19, OLDEST[1] - 1, -1):
        newer = shutil.which("python3.%d" % minor)
        if newer:
            os.execv(newer, [newer] + sys.argv)
    stop(
        "Twofold needs Python %d.%d or newer and this is %s: install one, then run it with this script"
        % (OLDEST + (platform.python_version(),))
    )


def make_venv():
    """The virtual environment; made again when it is half-made or its Python is gone or another version."""
    if not os.access(ROOT, os.W_OK):
        stop("%s cannot be written by this user: make a clone of your own, or change its owner" % ROOT)
    works = "import pip, sys; sys.exit(sys.version_info[:2] != %r)" % (sys.version_info[:2],)
    if os.access(PYTHON, os.X_OK) and subprocess.call([PYTHON, "-c", works], stderr=subprocess.DEVNULL) == 0:
        return
    if os.path.exists(VENV) and not os.access(VENV, os.W_OK):
        stop("%s belongs to another user: remove it, or make a clone of your own" % VENV)
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        stop(
            "This Python cannot make virtual environments; on Debian and Ubuntu: apt-get install python%d.%d-venv"
            % sys.version_info[:2]
        )
    say("Making .venv with Python %s" % platform.python_version())
    try:
        venv.create(VENV, with_pip=True, clear=True, symlinks=True)
    except (OSError, subprocess.CalledProcessError) as error:
        stop("Cannot make %s: %s" % (VENV, error))


def install(requirements):
    """Install what is pinned, unless exactly this has been installed before."""
    stamp = os.path.join(VENV, "installed")
    wanted = digest("requirements.txt")
    if requirements != "requirements.txt":
        wanted += " " + digest(requirements)
    before = read(stamp) if os.path.exists(stamp) else ""
    if before == wanted or before.startswith(wanted + " "):
        return
    say("Installing %s: about half a minute" % requirements)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check", "--no-input"]
    if subprocess.call(pip + ["--requirement", os.path.join(ROOT, requirements)]):
        stop("pip could not install %s: the lines above say why; run this again when that is mended" % requirements)
    library = os.path.join(VENV, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    write(os.path.join(library, "twofold.pth"), ROOT)  # so that plain `pytest` finds us
    write(stamp, wanted)


def install_system_packages():
    """As root on Debian, what browser and mail tests need; elsewhere say what is skipped."""
    missing = [name for name, (path, _) in SYSTEM.items() if not os.path.exists(path)]
    if not missing:
        return
    debian = os.path.exists("/etc/debian_version") and shutil.which("apt-get")
    if debian and os.geteuid() == 0:
        say("Installing with apt: %s" % ", ".join(missing))
        quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        apt = ["apt-get", "install", "--quiet", "--quiet", "--yes", "--no-install-recommends"] + missing
        log = os.path.join(VENV, "apt.log")
        with open(log, "wb") as out:
            if subprocess.call(apt, env=quiet, stdout=out, stderr=out):  # as on a machine that has no lists yet
                subprocess.call(["apt-get", "update", "--quiet"], env=quiet, stdout=out, stderr=out)
                subprocess.call(apt, env=quiet, stdout=out, stderr=out)
        missing = [name for name in missing if not os.path.exists(SYSTEM[name][0])]
        if missing:
            say("apt could not install all of it: %s says why" % log)
    for name in missing:
        say("Skipped for want of %s: %s" % (name, SYSTEM[name][1]))
    if missing and debian and os.geteuid() != 0:
        say("To have all: sudo apt-get install --no-install-recommends %s" % " ".join(missing))


def check():
    """Run every check, all of them even when one fails. The names of those that failed."""
    failed = []
    for name, command in CHECKS:
        environ = dict(os.environ, **DEPLOYED)
        result = subprocess.run([PYTHON] + command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        say("%-18s %s" % (name, "failed" if result.returncode else "ok"))
        if result.returncode:
            failed.append(name)
            sys.stdout.write(result.stdout.decode(errors="replace"))
            sys.stdout.flush()
    return failed


def pytest(*arguments):
    return subprocess.call([PYTHON, "-m", "pytest", *arguments], cwd=ROOT)


def say(text):
    print(text, flush=True)


def digest(name):
    with open(os.path.join(ROOT, name), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def read(path):
    with open(path) as file:
        return file.read().strip()


def write(path, text):
    with open(path, "w") as file:
        file.write(text + "\n")


def launch(*arguments):
    """Become the process asked for, so that signals reach it and nothing stands between."""
    if "MAKELEVEL" in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG: a killed make ends us as well
    os.chdir(ROOT)
    os.execv(PYTHON, [PYTHON, *arguments])


def beside_servers(*command):
    """Run a command of ours beside a PostgreSQL and a Valkey of its own."""
    launch("-m", "helpdesk.embedded", PYTHON, *command)


def main():
    what, rest = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    doors = {
        "run": lambda: launch("manage.py", "up", *rest),
        "test": lambda: (install_system_packages(), tests(rest)),
        "check": lambda: tests(rest),
        "test-long": lambda: sys.exit(pytest("-m", "long", *rest)),
        "bench": lambda: beside_servers("-m", "bench", *rest),
        "chaos": lambda: beside_servers("-m", "bench.chaos", *rest),
        "screenshots": lambda: (install_system_packages(), beside_servers("-m", "bench.screenshots", *rest)),
    }
    if what not in doors:
        stop(__doc__.splitlines()[0])
    fitting_python()
    alone = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(alone, fcntl.LOCK_EX)  # two commands in an empty clone: the second waits for what the first installs
    make_venv()
    install(NEEDS.get(what, "requirements-dev.txt"))
    os.close(alone)
    doors[what]()


def tests(rest):
    """All checks, then all tests: pytest's summary comes last, after it only what failed before it."""
    failed = check()
    status = pytest("-n", "2", *rest)
    if failed:
        stop("Checks failed before the tests: %s" % ", ".join(failed))
    sys.exit(status)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
