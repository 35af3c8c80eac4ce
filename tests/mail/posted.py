"""What providers post, built and signed as their documents say; keys that only these tests know."""

import hashlib
import hmac
import json
import time
from base64 import b64encode
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

SECRET = "hooks:" + "k" * 24
BASIC = {"HTTP_AUTHORIZATION": "Basic " + b64encode(SECRET.encode()).decode()}
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def public(key: Any) -> str:
    """As the providers show it, and anymail wants it: the base64 of a PEM alone."""
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    lines = key.public_key().public_bytes(serialization.Encoding.PEM, kind).decode().splitlines()
    return "".join(lines[1:-1])


WHSEC = "whsec_" + b64encode(b"resend-key" * 3).decode()


def resend(body: Any, *, key: bytes = b"resend-key" * 3, at: float | None = None, id: str = "msg_1") -> "Post":
    """Signed as Svix does it: the id, the second and the body."""
    raw, stamp = json.dumps(body).encode(), str(int(time.time() if at is None else at))
    signature = b64encode(hmac.digest(key, f"{id}.{stamp}.".encode() + raw, "sha256")).decode()
    return Post(raw, headers={"HTTP_SVIX_ID": id, "HTTP_SVIX_TIMESTAMP": stamp, "HTTP_SVIX_SIGNATURE": f"v1,{signature}"})


@cache
def keys() -> dict[str, Any]:
    return {
        "MAILGUN_WEBHOOK_SIGNING_KEY": "mailgun-key",
        "MANDRILL_WEBHOOK_KEY": "mandrill-key",
        "MAILERSEND_INBOUND_SECRET": "mailersend-key",
        "MAILERSEND_SIGNING_SECRET": "mailersend-key",
        "POSTAL_WEBHOOK_KEY": public(RSA_KEY),
        "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": public(EC_KEY),
    }


@dataclass
class Post:
    """One request; ``forged`` is the same by somebody who has no key."""

    body: bytes
    type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    forged: "Post | None" = None


def form(fields: dict[str, bytes], files: dict[str, tuple[str, str, bytes]] | None = None) -> tuple[bytes, str]:
    pieces = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value for name, value in fields.items()]
    for name, (filename, kind, content) in (files or {}).items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: {kind}\r\n\r\n'
        pieces.append(head.encode() + content)
    body = b"".join(b"--form-line\r\n" + piece + b"\r\n" for piece in pieces) + b"--form-line--\r\n"
    return body, "multipart/form-data; boundary=form-line"


def by_secret(body: Any, kind: str = "application/json", **headers: str) -> Post:
    """Proved by user and password in the address of the hook."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    wrong = {"HTTP_AUTHORIZATION": "Basic " + b64encode(b"hooks:guessed").decode()}
    return Post(raw, kind, {**BASIC, **headers}, Post(raw, kind, {**wrong, **headers}))


def mailgun_signature(key: str = "mailgun-key", at: float | None = None) -> dict[str, str]:
    stamp, token = str(int(time.time() if at is None else at)), "t" * 50
    return {
        "timestamp": stamp,
        "token": token,
        "signature": hmac.digest(key.encode(), f"{stamp}{token}".encode(), "sha256").hex(),
    }


def mailgun(raw: bytes, to: str, key: str = "mailgun-key", at: float | None = None) -> Post:
    said = {**mailgun_signature(key, at), "recipient": to, "sender": "ben@carter.example"}
    post = Post(*form({"body-mime": raw, **{name: value.encode() for name, value in said.items()}}))
    post.forged = mailgun(raw, to, "guessed") if key != "guessed" else None
    return post


def mandrill(raw: bytes, to: str, key: str = "mandrill-key") -> Post:
    post = mandrill_events({"event": "inbound", "ts": 1, "msg": {"raw_msg": raw.decode(), "email": to}}, key=key)
    post.forged = mandrill(raw, to, "guessed") if key != "guessed" else None
    return post


def mandrill_events(*said: dict[str, Any], part: str = "inbound", key: str = "mandrill-key") -> Post:
    events = json.dumps(said)
    signed = f"http://testserver/hooks/mail/mandrill/{part}/mandrill_events{events}"
    signature = b64encode(hmac.digest(key.encode(), signed.encode(), hashlib.sha1)).decode()
    body = urlencode({"mandrill_events": events}).encode()
    return Post(body, "application/x-www-form-urlencoded", {"HTTP_X_MANDRILL_SIGNATURE": signature})


def postal(raw: bytes, to: str) -> Post:
    said = {"id": 5, "rcpt_to": to, "mail_from": "ben@carter.example", "message": b64encode(raw).decode(), "base64": True}
    body = json.dumps(said).encode()
    signature = b64encode(RSA_KEY.sign(body, padding.PKCS1v15(), hashes.SHA1())).decode()
    forged = Post(body.replace(b'"id": 5', b'"id": 6'), headers={"HTTP_X_POSTAL_SIGNATURE": signature})
    return Post(body, headers={"HTTP_X_POSTAL_SIGNATURE": signature}, forged=forged)


def mailersend(raw: bytes, to: str, key: str = "mailersend-key") -> Post:
    data = {"id": "1", "raw": raw.decode(), "sender": {"email": "ben@carter.example"}, "recipients": {"rcptTo": [{"email": to}]}}
    body = json.dumps({"type": "inbound.message", "data": data}).encode()
    post = Post(body, headers={"HTTP_SIGNATURE": hmac.digest(key.encode(), body, "sha256").hex()})
    post.forged = mailersend(raw, to, "guessed") if key != "guessed" else None
    return post


def postmark(raw: bytes, to: str) -> Post:
    head = [{"Name": "Return-Path", "Value": "<ben@carter.example>"}]
    return by_secret(
        {"RawEmail": raw.decode(), "OriginalRecipient": to, "Headers": head, "FromFull": {"Email": "ben@carter.example"}}
    )


def sendgrid(raw: bytes, to: str) -> Post:
    envelope = json.dumps({"from": "ben@carter.example", "to": [to]}).encode()
    return by_secret(*form({"email": raw, "envelope": envelope, "spam_score": b"0.1"}))


def sparkpost(raw: bytes, to: str) -> Post:
    content = {"email_rfc822": b64encode(raw).decode(), "email_rfc822_is_base64": True}
    event = {"protocol": "smtp", "rcpt_to": to, "msg_from": "ben@carter.example", "content": content}
    return by_secret([{"msys": {"relay_message": event}}, {"msys": {}}])


def sns(said: Any) -> Post:
    body = {
        "Type": "Notification",
        "MessageId": "1",
        "TopicArn": "arn:aws:sns:eu-west-1:1:t",
        "Timestamp": "2026-11-27T05:00:00Z",
    }
    headers = {"HTTP_X_AMZ_SNS_MESSAGE_TYPE": "Notification", "HTTP_X_AMZ_SNS_MESSAGE_ID": "1"}
    return by_secret({**body, "Message": json.dumps(said)}, "text/plain; charset=UTF-8", **headers)


def amazon_ses(raw: bytes, to: str) -> Post:
    receipt = {"recipients": [to], "action": {"type": "SNS", "encoding": "BASE64"}}
    mail = {"source": "ben@carter.example", "messageId": "m1"}
    return sns({"notificationType": "Received", "receipt": receipt, "mail": mail, "content": b64encode(raw).decode()})


def mailjet(raw: bytes, to: str) -> Post:
    """Mailjet cuts a mail apart: ``raw`` becomes its text, and a picture goes along."""
    head = {"From": "Ben Carter <ben@carter.example>", "To": to, "Subject": "Router", "Message-ID": "<one@carter.example>"}
    file = {
        "ContentRef": "Attachment1",
        "Headers": {"Content-Type": "image/png", "Content-Disposition": 'attachment; filename="a.png"'},
    }
    said = {"Sender": "ben@carter.example", "Recipient": to, "Headers": head, "Text-part": raw.decode("latin-1"), "Parts": [file]}
    return by_secret({**said, "Attachment1": b64encode(PICTURE).decode()})


PICTURE = bytes(range(256)) + b"\r\n\n\r" * 3
BYTES = {
    "mailgun": mailgun,
    "sendgrid": sendgrid,
    "postal": postal,
    "sparkpost": sparkpost,
    "amazon_ses": amazon_ses,
}  # any bytes
TEXT = {"postmark": postmark, "mandrill": mandrill, "mailersend": mailersend}  # within JSON: what is Unicode


# --- tracking ---------------------------------------------------------------------------------------------------------


def mailgun_event(event: str, token: str, at: float, key: str = "mailgun-key", **more: Any) -> Post:
    data = {"event": event, "timestamp": at, "recipient": "ben@carter.example", "user-variables": {"outgoing": token}, **more}
    post = Post(json.dumps({"signature": mailgun_signature(key), "event-data": data}).encode())
    post.forged = mailgun_event(event, token, at, "guessed", **more) if key != "guessed" else None
    return post


def sendgrid_events(*events: dict[str, Any]) -> Post:
    body, stamp = json.dumps(events).encode(), str(int(time.time()))

    def signed(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
        signature = b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
        names = ("HTTP_X_TWILIO_EMAIL_EVENT_WEBHOOK_SIGNATURE", "HTTP_X_TWILIO_EMAIL_EVENT_WEBHOOK_TIMESTAMP")
        return dict(zip(names, (signature, stamp), strict=True))

    return Post(body, headers=signed(EC_KEY), forged=Post(body, headers=signed(ec.generate_private_key(ec.SECP256R1()))))
