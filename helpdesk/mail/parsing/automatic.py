"""Mail that no person wrote for us: found by what automatic senders say about themselves (RFC 3834, RFC 2919).

Such mail is kept and shown, but starts no clock, reopens nothing and gets no automatic answer.
`X-Auto-Response-Suppress` is a wish about answers, not a sign: Outlook puts it on mail that people write.
"""

import re
from collections.abc import Callable

# Written by our own sender on everything that no person typed.
OURS = "x-twofold-automatic"

_DAEMON = re.compile(r"(?:mailer-daemon|postmaster|mail-daemon|mdaemon|double-bounce)", re.IGNORECASE)
_PRECEDENCE = {"bulk", "junk", "list", "auto_reply"}
_OTHERS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply-from", "x-mail-autoreply")


def why(get: Callable[[str], str], *, sender: str, content_type: str, return_path: str | None) -> str | None:
    """Why this mail is automatic, in words that name the evidence; None when it seems to come from a person.

    `get` gives a header's first value or an empty string; `return_path` is "" for the null sender, None when unknown.
    """
    if get(OURS):
        return "our own automatic mail"
    submitted = re.sub(r"\([^)]{0,200}\)", "", get("auto-submitted")[:500]).partition(";")[0].strip().lower()
    if submitted and submitted != "no":
        return f"Auto-Submitted: {submitted[:60]}"
    if content_type == "multipart/report":
        return "a report from a mail system"
    if return_path == "":
        return "sent without a return path"
    if get("x-failed-recipients"):
        return "X-Failed-Recipients"
    precedence = get("precedence").strip().lower()
    if precedence in _PRECEDENCE:
        return f"Precedence: {precedence}"
    for name in _OTHERS:
        value = get(name).strip().lower()
        if value and value not in ("no", "0", "false"):
            return name
    if get("list-id"):
        return "List-Id"
    if _DAEMON.fullmatch(sender.partition("@")[0]):
        return "sent by a mail system"
    return None
