"""A provider: an authorisation server (RFC 6749, PKCE of RFC 7636, introspection of RFC 7662) that consents at once, or not."""

import base64
import hashlib
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

CLIENT = {"client_id": "twofold", "client_secret": "canary-client-secret"}


@dataclass
class Provider:
    """Who signs in there, what it gave out, and what it was asked."""

    user: str = "support@nordwind.example"
    consents: bool = True
    lives: float = 3600  # seconds of an access token
    down: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh: dict[str, str] = field(default_factory=dict)  # each good for one use
    access: dict[str, tuple[str, float]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
                if path == "/authorize":
                    self.send_response(302)
                    self.send_header("Location", outer.authorize(query))
                    self.end_headers()

            def do_POST(self) -> None:
                said = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                status, answer = (503, {}) if outer.down else getattr(outer, self.path.strip("/"))(said)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def forget(self) -> None:
        """As new, for the next test."""
        self.user, self.consents, self.lives, self.down = "support@nordwind.example", True, 3600, False
        for store in (self.codes, self.refresh, self.access, self.asked):
            store.clear()

    def authorize(self, query: dict[str, str]) -> str:
        back = {"state": query["state"]}
        if not self.consents:
            back |= {"error": "access_denied", "error_description": "The <b>admin</b> said no"}
        else:
            assert query["response_type"] == "code" and query["client_id"] == CLIENT["client_id"]
            assert query["code_challenge_method"] == "S256"
            back["code"] = secrets.token_urlsafe(16)
            self.codes[back["code"]] = query
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def token(self, said: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.asked.append(said)
        if any(said.get(name) != value for name, value in CLIENT.items()):
            return 401, {"error": "invalid_client"}
        if said["grant_type"] == "authorization_code":
            asked = self.codes.pop(said["code"], None)
            challenge = base64.urlsafe_b64encode(hashlib.sha256(said.get("code_verifier", "").encode()).digest()).decode()
            if not asked or asked["redirect_uri"] != said["redirect_uri"] or asked["code_challenge"] != challenge.rstrip("="):
                return 400, {"error": "invalid_grant", "error_description": "The code is not good."}
            user = self.user
        else:
            user = self.refresh.pop(said["refresh_token"], "")
            if not user:
                return 400, {"error": "invalid_grant", "error_description": "The refresh token was revoked."}
        access, refresh = f"canary-access-{secrets.token_hex(8)}", f"canary-refresh-{secrets.token_hex(8)}"
        self.access[access], self.refresh[refresh] = (user, time.time() + self.lives), user
        return 200, {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": int(self.lives),
                     "scope": "mail offline"}  # fmt: skip

    def introspect(self, said: dict[str, str]) -> tuple[int, dict[str, Any]]:
        user, until = self.access.get(said["token"], ("", 0))
        return 200, {"active": True, "username": user} if until > time.time() else {"active": False}
