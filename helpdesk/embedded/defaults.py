"""Where the embedded servers answer and which key signs, for settings that the environment leaves open."""

import hashlib
import os
import secrets
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

SOCKET_NAME_ROOM = len("/.s.PGSQL.5432.lock")
LONGEST_SOCKET_PATH = 100  # bytes; sun_path holds 104 on macOS and 108 on Linux


def server_home(data: Path) -> Path:
    """The folder of both servers. As root it may be a link to a place that their unprivileged user can reach."""
    return (data / "servers").resolve()


def socket_folder(data: Path) -> Path:
    """The 0700 folder of both sockets: inside the data folder, or a short one when that path is too long."""
    folder = server_home(data) / "run"
    if len(os.fsencode(folder)) + SOCKET_NAME_ROOM <= LONGEST_SOCKET_PATH:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"twofold-{digest}"


def database_url(data: Path) -> str:
    """The embedded PostgreSQL, in the form that psql takes as well."""
    return f"postgresql://twofold@/twofold?host={quote(str(socket_folder(data)))}"


def redis_url(data: Path, number: int = 0) -> str:
    """The embedded Valkey, as redis-py writes a socket."""
    return f"unix://{quote(str(socket_folder(data)))}/valkey.sock?db={number}"


def celery_url(url: str) -> str:
    """The same server in Celery's words, which differ for sockets alone."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    number = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={number}"


def secret_key(data: Path) -> str:
    """The installation's own key, made once and kept in the data folder for its owner alone."""
    path = data / "secret_key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    except PermissionError as error:
        raise SystemExit(f"{path} belongs to someone else: set SECRET_KEY, or TWOFOLD_DATA to a folder of your own") from error
    data.mkdir(parents=True, exist_ok=True)
    key = secrets.token_urlsafe(50)
    draft = data / f".secret_key.{os.getpid()}"
    draft.touch(mode=0o600)
    draft.write_text(key + "\n")
    try:
        os.link(draft, path)  # never replaces: of two first starts, one key wins and both read it
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()
