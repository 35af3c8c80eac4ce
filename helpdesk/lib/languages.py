"""The languages that customers write in: their names, and which of them a text is in."""

import re
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation.trans_real import parse_accept_lang_header

ASKED = 1_000  # characters; more of a text tells no more
SURE = 0.6  # of the most likely language; less, and it is nobody's guess
# What says nothing of a language: addresses, numbers, paths, names of files and functions.
NO_WORD = re.compile(r"\S*[@/\\_\d<>={}]\S*")
OTHERS = {"no": "nb", "zh": "zh-hans"}  # the model's codes → ours


def spoken(text: str) -> str:
    """The code of its language, one of settings.SPOKEN_LANGUAGES; "" where it is too short, too mixed or of none to say.

    By its sequences of bytes and a naive Bayes model over 80 languages (py3langid; Lui and Baldwin, "langid.py", ACL 2012).
    The first call in a process takes a second and 75 MB, each of the others less than a thousandth of one.
    """
    words = NO_WORD.sub(" ", text[:ASKED]).strip()
    if not words:
        return ""
    code, probability = _model().classify(words)
    return OTHERS.get(code, code) if probability >= SURE else ""


def preferred(header: str) -> str:
    """The first of the languages that a browser asks for (Accept-Language, RFC 9110) which we know; "" for none."""
    known = dict(settings.SPOKEN_LANGUAGES)
    asked = (part for code, _weight in parse_accept_lang_header(header) for part in (code, code.split("-")[0]))
    return next((code for code in asked if code in known), "")


def coded(code: str) -> str:
    """The code as we write it: "de-AT" is "de", unless it is a language of its own here; one that we do not know stays."""
    codes = {each.lower(): each for each, _name in settings.SPOKEN_LANGUAGES}
    said = code.strip().replace("_", "-").lower()
    return codes.get(said) or codes.get(said.split("-")[0]) or code


def name_of(code: str) -> str:
    """Its name in words; the code itself for one that we do not know."""
    return str(dict(settings.SPOKEN_LANGUAGES).get(code, code))


def choices(kept: str = "") -> list[tuple[str, Any]]:
    """Of a field: not known, and all there are; what is ``kept`` stands among them."""
    known: dict[str, Any] = dict(settings.SPOKEN_LANGUAGES)
    return [("", _("Not known")), *known.items(), *([(kept, kept)] if kept and kept not in known else [])]


@cache
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # and numpy with it: only where somebody writes to us

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    codes = {code.split("-")[0] for code, _name in settings.SPOKEN_LANGUAGES} | set(OTHERS)
    model.set_languages(codes & set(model.labels))
    return model
