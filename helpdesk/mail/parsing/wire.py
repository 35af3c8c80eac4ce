"""A Mail as bytes between the reading process and its owner: JSON, then the files' contents. Never pickle, since the
process on the other side has been fed by strangers."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from .addresses import Address
from .bounces import Bounce
from .headers import Headers
from .mail import Attachment, Mail


def pack(mail: Mail) -> tuple[bytes, list[bytes]]:
    """(JSON, contents of the attachments in order)."""
    data = {name: getattr(mail, name) for name in Mail.__dataclass_fields__}
    data |= {name: [asdict(one) for one in data[name]] for name in ("reply_to", "to", "cc")}
    data["from_"] = mail.from_ and asdict(mail.from_)
    data["bounce"] = mail.bounce and asdict(mail.bounce)
    data["date"] = mail.date and mail.date.isoformat()
    data["attachments"] = [{name: value for name, value in vars(one).items() if name != "content"} for one in mail.attachments]
    data["headers"] = [[name, value.decode("latin-1")] for name, value in mail.headers.fields]
    data["hint"] = mail.headers.hint
    return json.dumps(data).encode("ascii"), [one.content for one in mail.attachments]


def unpack(packed: bytes, contents: list[bytes]) -> Mail:
    """The inverse of `pack`; TypeError, KeyError or ValueError if it is none."""
    data: dict[str, Any] = json.loads(packed)
    for name in ("reply_to", "to", "cc"):
        data[name] = tuple(Address(**one) for one in data[name])
    data["from_"] = data["from_"] and Address(**data["from_"])
    if data["bounce"]:
        data["bounce"] = Bounce(**data["bounce"] | {"recipients": tuple(data["bounce"]["recipients"])})
    data["date"] = data["date"] and datetime.fromisoformat(data["date"])
    files = zip(data["attachments"], contents, strict=True)
    data["attachments"] = tuple(Attachment(content=content, **one) for one, content in files)
    data["headers"] = Headers(tuple((name, value.encode("latin-1")) for name, value in data["headers"]), data.pop("hint"))
    for name in ("references", "delivered_to", "notes"):
        data[name] = tuple(data[name])
    return Mail(**data)
