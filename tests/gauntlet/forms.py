"""A form as a browser without script would send it: read from the page, with what a person changes."""

from html.parser import HTMLParser
from typing import Any

from django.test import Client


class Form(dict[str, Any]):
    """What a browser sends for it: names and values, also of what lies outside it and names it by ``form=``."""

    def __init__(self, method: str, action: str) -> None:
        self.method, self.action = method.lower(), action
        self.buttons: set[tuple[str, str, str]] = set()  # where to (if elsewhere), name, value


class Page(HTMLParser):
    """The forms of a page, in order."""

    def __init__(self, text: str, address: str) -> None:
        super().__init__()
        self.address = address
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.named: dict[str, Form] = {}
        self.inside: list[Form] = []
        self.area = self.select = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(a.get("href", ""))
        if tag == "form":
            form = Form(a.get("method", "get"), a.get("action") or self.address)
            self.forms.append(form)
            self.named[a.get("id", "")] = form
            self.inside.append(form)
        form = self.named.get(a["form"]) if "form" in a else (self.inside or [None])[-1]
        if form is None:
            return
        if tag == "button" and a.get("type", "submit") == "submit":
            form.buttons.add((a.get("formaction", form.action).split("?")[0], a.get("name", ""), a.get("value", "")))
        if tag == "option" and self.select and ("selected" in a or self.select not in form):
            form[self.select] = a.get("value", "")
        if "name" not in a:
            return
        kind = a.get("type", "text")
        if tag == "input" and kind in ("checkbox", "radio"):
            if "checked" in a:
                known = form.get(a["name"], [])
                form[a["name"]] = [*known, a.get("value", "on")] if kind == "checkbox" else a.get("value", "on")
        elif tag == "input" and kind not in ("submit", "button", "file"):
            form[a["name"]] = a.get("value", "")
        elif tag == "textarea":
            self.area = a["name"]
            form[self.area] = ""
        elif tag == "select":
            self.select = a["name"]

    def handle_data(self, data: str) -> None:
        if self.area and self.inside:
            self.inside[-1][self.area] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self.inside:
            self.inside.pop()
        if tag in ("textarea", "select"):
            self.area = self.select = ""


def filled(browser: Client, page: str, action: str, said: dict[str, Any]) -> dict[str, Any]:
    """The form of ``page`` that posts to ``action``, as it stands there, with what a person says."""
    answer = browser.get(page)
    assert answer.status_code == 200, f"{page}: {answer.status_code}"
    forms = [f for f in Page(answer.content.decode(), page).forms if f.method == "post" and f.action.split("?")[0] == action]
    assert forms, f"{page} has no form that posts to {action}"
    return {**forms[0], **said}
