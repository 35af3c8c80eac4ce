"""From what a person wrote, Markdown with Liquid in it, to three compiled templates: subject, text, HTML.

The Markdown is made HTML, sanitised, laid out and inlined once; values are filled in afterwards and escaped, so that
nothing a customer is called can become markup. Everything here is pure: the same words give the same letter.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import css_inline
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import mark_safe
from liquid import BoundTemplate
from liquid.exceptions import LiquidError

from helpdesk.lib import html
from helpdesk.lib.liquid import BrokenText, MissingValue, sandbox

LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
LINE_TAG = re.compile(r"^[ \t]*(\{%.*?%\})[ \t]*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Frame:
    """What surrounds the words: who writes, why, and how to stop it."""

    workspace: str
    postal_address: str
    subscription: str = ""  # its name; empty where there is nothing to unsubscribe from
    language: str = "en"


@dataclass(frozen=True)
class Letter:
    subject: BoundTemplate
    text: BoundTemplate
    html: BoundTemplate
    body: BoundTemplate  # the HTML without its frame: what our own pages show

    def write(self, values: Mapping[str, Any]) -> tuple[str, str, str]:
        """Subject (one line), text and HTML for these values. Raises MissingValue."""
        subject = " ".join(fill(self.subject, values).split())
        if not subject:
            raise MissingValue("subject")
        return subject[:400], fill(self.text, values), fill(self.html, values)


def fill(template: BoundTemplate, values: Mapping[str, Any]) -> str:
    """Raises MissingValue, and BrokenText where a limit of the language is reached."""
    try:
        return template.render(**values)
    except LiquidError as error:
        raise BrokenText(str(getattr(error, "message", error))) from error


@lru_cache(maxsize=256)
def letter(subject: str, body: str, frame: Frame) -> Letter:
    """Compile once what a step says in one language; raises LiquidError for what ``liquid.check`` would refuse."""
    marks = Marks(body)
    with translation.override(frame.language):
        content = marks.tidy(html.from_markdown(marks.hidden))
        url = marks.hide("{{ unsubscribe_url }}")
        context = {"frame": frame, "content": mark_safe(content), "unsubscribe_url": f"https://{url}"}  # noqa: S308 sanitised above
        page = css_inline.inline(render_to_string("mail/campaign.html", context))
        text = render_to_string("mail/campaign.txt", context | {"content": mark_safe(html.to_text(content))})  # noqa: S308
    rich, plain = sandbox(html=True), sandbox(html=False)
    return Letter(
        subject=plain.from_string(subject),
        text=plain.from_string(marks.shown(text, plain=True)),
        html=rich.from_string(marks.shown(page)),
        body=rich.from_string(marks.shown(content)),
    )


class Marks:
    """Hides Liquid from Markdown and the sanitiser behind words that neither touches, and puts it back.

    A tag on a line of its own becomes a paragraph of its own, which goes again, so that blocks can be repeated.
    """

    def __init__(self, source: str) -> None:
        self.salt = "lq" + hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        self.kept: list[str] = []
        apart = LINE_TAG.sub(r"\n\n\1\n\n", source.replace("\r\n", "\n"))
        words = LIQUID.sub(lambda found: self.hide(found[0]), apart)
        # a link that begins with a value has no scheme yet; it gets one that the sanitiser lets pass, until the end
        self.hidden = re.sub(rf"(\]\(|\]:\s+)(?=<?{self.salt})(<?)", r"\1\2https://", words)

    def hide(self, code: str) -> str:
        self.kept.append(code)
        return f"{self.salt}n{len(self.kept) - 1}z"

    def tidy(self, content: str) -> str:
        """Without the paragraphs that hold tags only."""

        def unwrapped(found: re.Match[str]) -> str:
            inner = self._numbers(found[1])
            return found[1] if inner and all(self.kept[n].startswith("{%") for n in inner) else found[0]

        return re.sub(rf"<p>((?:\s*{self.salt}n\d+z\s*)+)</p>", unwrapped, content)

    def shown(self, content: str, *, plain: bool = False) -> str:
        """With the Liquid back in place, guarded where it stands in an address; other braces never become Liquid."""
        brace = "{ " if plain else "&#123;"
        content = content.replace("{{", brace + "{").replace("{%", brace + "%")
        if not plain:
            content = re.sub(r'(href=")([^"]*)(")', lambda f: f[1] + self._address(f[2]) + f[3], content)
        content = content.replace(f"https://{self.salt}", self.salt)
        return re.sub(rf"{self.salt}n(\d+)z", lambda found: self.kept[int(found[1])], content)

    def _address(self, address: str) -> str:
        def guarded(found: re.Match[str]) -> str:
            code = self.kept[int(found[2])]
            if code.startswith("{%"):
                return ""  # a choice inside an address has no safe meaning
            whole = found.start() == 0
            return f"{code[:-2].rstrip('- ')} | {'link_address' if whole else 'link_part'} }}}}"

        return re.sub(rf"(https://)?{self.salt}n(\d+)z", guarded, address)

    def _numbers(self, content: str) -> list[int]:
        return [int(n) for n in re.findall(rf"{self.salt}n(\d+)z", content)]
