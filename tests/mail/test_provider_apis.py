"""Mail by a provider's HTTP API, against a server on loopback that answers as the provider would, badly too."""

import json
import socket
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from helpdesk.customers.models import Customer
from helpdesk.files.models import Attachment, Blob
from helpdesk.lib import dates
from helpdesk.mail import mime, provider_apis, transports
from helpdesk.mail.models import Mailbox, Outgoing
from helpdesk.mail.sender import send as send_due
from helpdesk.mail.transports import Handover
from helpdesk.mail.verdicts import Content

pytestmark = pytest.mark.django_db
QUEUED = {"id": "<20261127.1@nordwind.example>", "message": "Queued. Thank you."}


class Api(ThreadingHTTPServer):
    """Keeps what was posted; ``answer`` is a status and a body, or a number of seconds in which it says nothing."""

    answer: Any = (200, QUEUED)

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Api  # type: ignore[assignment]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        if isinstance(self.server.answer, float):
            time.sleep(self.server.answer)
            self.close_connection = True
            return
        status, said = self.server.answer
        content = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def api(settings: Any) -> Iterator[Api]:
    server = Api()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    settings.MAIL_TRANSPORT, settings.MAIL_SMTP_TIMEOUT = "anymail://mailgun", 3
    keys = {"region_name": "eu-west-1", "aws_access_key_id": "k", "aws_secret_access_key": "s", "endpoint_url": server.url}
    settings.ANYMAIL = {
        "MAILGUN_API_KEY": "key-1", "MAILGUN_API_URL": f"{server.url}/v3", "MAILGUN_SENDER_DOMAIN": "nordwind.example",
        "POSTMARK_SERVER_TOKEN": "token-1", "POSTMARK_API_URL": server.url, "AMAZON_SES_CLIENT_PARAMS": keys,
        "POSTAL_API_KEY": "k", "POSTAL_API_URL": server.url, "WEBHOOK_SECRET": [],
    }  # fmt: skip
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def row(support: Mailbox, ben: Customer) -> Outgoing:
    return Outgoing.objects.create(
        key="test", kind="account.mail", klass="transactional", lane="replies", customer=ben, address=ben.addresses.get(),
        to="ben@carter.example", cc=["cleo@marchetti.example"], mailbox=support, due_at=dates.now(), attempts=1,
        variables={"subject": "Grüße, Ben", "text": "Hello Ben, ü", "html": "<p>Hello Ben, ü</p>"},
    )  # fmt: skip


def built(row: Outgoing) -> bytes:
    row.rfc_id = mime.message_id(row)
    file = Attachment.objects.create(
        blob=Blob.objects.keep(BytesIO(bytes(range(256)))), name="Zähler.bin", content_type="application/octet-stream"
    )
    content = Content(
        **row.variables, cc=row.cc, attachments=[file.pk], in_reply_to="<one@carter.example>", references=["<one@carter.example>"],  # noqa: E501
        headers={"List-Unsubscribe": "<https://help.example.org/u/1>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
        automatic="auto-generated",
    )  # fmt: skip
    return mime.build(row, content)


def hand_over(row: Outgoing, raw: bytes | None = None) -> Handover:
    line = transports.open_transport()
    try:
        return line.send("bounce+x@nordwind.example", [row.to, *row.cc], raw or built(row))
    finally:
        line.close()


def test_mailgun_gets_our_very_bytes(api: Api, row: Outgoing) -> None:
    raw = built(row)
    assert hand_over(row, raw) == Handover("accepted", 200, "Mailgun: <20261127.1@nordwind.example>")
    [(path, headers, body)] = api.got
    said, files = _form(headers["content-type"], body)
    assert path == "/v3/nordwind.example/messages.mime" and headers["authorization"].startswith("Basic ")
    assert files["message"] == raw
    assert said["to"] == [b"ben@carter.example", b"cleo@marchetti.example"] and said["v:outgoing"] == [row.token.encode()]


def _form(kind: str, body: bytes) -> tuple[dict[str, list[bytes]], dict[str, bytes]]:
    mail = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=policy.HTTP)
    boundary = mail.get_boundary().encode()
    said: dict[str, list[bytes]] = {}
    files: dict[str, bytes] = {}
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        name = head.split(b'name="')[1].split(b'"')[0].decode()
        if b"filename=" in head:
            files[name] = content
        else:
            said.setdefault(name, []).append(content)
    return said, files


def test_amazon_and_postal_get_the_message_whole(api: Api, row: Outgoing, settings: Any) -> None:
    raw = built(row)
    settings.MAIL_TRANSPORT, api.answer = "anymail://amazon_ses", (200, {"MessageId": "ses-1"})
    assert hand_over(row, raw).outcome == "accepted"
    said = json.loads(api.got[-1][2])
    whole = b64decode(said["Content"]["Raw"]["Data"])
    assert said["Destination"] == {"ToAddresses": ["ben@carter.example"], "CcAddresses": ["cleo@marchetti.example"]}
    assert whole == f'X-Metadata: {{"outgoing": "{row.token}"}}\r\n'.encode() + raw

    settings.MAIL_TRANSPORT = "anymail://postal"
    api.answer = (
        200,
        {"status": "success", "data": {"messages": {"ben@carter.example": {"id": 1}, "cleo@marchetti.example": {"id": 2}}}},
    )
    assert hand_over(row, raw).outcome == "accepted"
    path, _headers, posted = api.got[-1]
    said = json.loads(posted)
    assert path == "/api/v1/send/raw" and b64decode(said["data"]) == raw
    assert (said["mail_from"], said["rcpt_to"]) == ("bounce+x@nordwind.example", ["ben@carter.example", "cleo@marchetti.example"])


def test_where_it_is_built_anew_the_headers_stay_ours(api: Api, row: Outgoing, settings: Any) -> None:
    settings.MAIL_TRANSPORT = "anymail://postmark"
    api.answer = (
        200,
        {"ErrorCode": 0, "Message": "OK", "MessageID": "pm-1", "To": "ben@carter.example", "Cc": "cleo@marchetti.example"},
    )
    assert hand_over(row) == Handover("accepted", 200, "Postmark: pm-1")
    said = json.loads(api.got[0][2])
    headers = {one["Name"]: one["Value"] for one in said["Headers"]}
    assert headers["Message-ID"] == row.rfc_id and headers["In-Reply-To"] == headers["References"] == "<one@carter.example>"
    assert headers["List-Unsubscribe"] == "<https://help.example.org/u/1>" and headers["Auto-Submitted"] == "auto-generated"
    assert said["ReplyTo"] == f"support+{row.token}@nordwind.example" and said["Metadata"] == {"outgoing": row.token}
    assert (said["From"], said["To"], said["Cc"]) == (
        "Nordwind help <support@nordwind.example>",
        "ben@carter.example",
        "cleo@marchetti.example",
    )
    assert said["Subject"] == "Grüße, Ben" and "Hello Ben, ü" in said["TextBody"] and "<p>Hello Ben, ü</p>" in said["HtmlBody"]
    assert [one["Name"] for one in said["Attachments"]] == ["Zähler.bin"]


@pytest.mark.parametrize(("answer", "outcome"), [
    ((400, {"message": "to parameter is not a valid address"}), "failed"),
    ((413, {"message": "too large"}), "failed"),
    ((401, {"message": "Forbidden"}), "retry"),
    ((404, {"message": "Domain not found: nordwind.example"}), "retry"),
    ((429, {"message": "slow down"}), "retry"),
    ((500, {"message": "oops"}), "retry"),
    ((503, {}), "retry"),
    ((502, {}), "unknown"),
    ((504, {}), "unknown"),
    ((200, {"message": "What is this?"}), "unknown"),
    (5.0, "unknown"),  # it took everything and says nothing
    (0.0, "unknown"),  # and hangs up
])  # fmt: skip
def test_what_each_answer_means(api: Api, row: Outgoing, answer: Any, outcome: str, settings: Any) -> None:
    settings.MAIL_SMTP_TIMEOUT, api.answer = 1.5, answer
    found = hand_over(row)
    assert found.outcome == outcome and len(api.got) == 1
    assert found.code == (answer[0] if isinstance(answer, tuple) else None)
    if isinstance(answer, tuple) and answer[0] in (401, 404):
        assert "settings" in found.answer


def test_nobody_there_is_no_doubt(api: Api, row: Outgoing, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    for name in ("mailgun", "amazon_ses"):
        settings.MAIL_TRANSPORT = f"anymail://{name}"
        keys = {**settings.ANYMAIL["AMAZON_SES_CLIENT_PARAMS"], "endpoint_url": f"http://127.0.0.1:{port}"}
        settings.ANYMAIL = {
            **settings.ANYMAIL,
            "MAILGUN_API_URL": f"http://127.0.0.1:{port}/v3",
            "AMAZON_SES_CLIENT_PARAMS": keys,
        }
        assert hand_over(row).outcome == "retry"


def test_an_address_that_the_provider_knows_as_dead(api: Api, row: Outgoing, settings: Any) -> None:
    settings.MAIL_TRANSPORT = "anymail://postmark"
    api.answer = (422, {"ErrorCode": 406, "Message": "You tried to send to recipient(s) that have been marked as inactive."})
    assert hand_over(row).outcome == "failed"


def test_a_reply_leaves_by_the_provider_and_a_wrong_key_blames_nobody(api: Api, row: Outgoing) -> None:
    api.answer = (401, {"message": "Forbidden"})
    send_due("replies")
    row.refresh_from_db()
    assert row.state == "retry_wait" and "Mailgun does not let us send" in row.reason
    api.answer = (200, QUEUED)
    with dates.moved(by=row.next_at - dates.now()):
        send_due("replies")
    row.refresh_from_db()
    assert (row.state, row.tries.count(), row.address.reachability) == ("accepted", 2, "unknown")


@pytest.mark.parametrize("name", ["nobody", "", "base", "../mailgun", "console"])
def test_a_provider_that_is_none_stops_the_start(api: Api, name: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        transports.check(f"anymail://{name}")


def test_a_key_that_is_missing_stops_the_start(api: Api, settings: Any) -> None:
    assert {"mailgun", "amazon_ses", "postmark", "sendgrid", "brevo"} <= set(provider_apis.names())
    settings.ANYMAIL = {}
    with pytest.raises(ImproperlyConfigured, match="MAILGUN_API_KEY"):
        transports.check("anymail://mailgun")
