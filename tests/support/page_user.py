"""A user of the server's page, who finds everything by its visible text."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from support.browser import Browser

READY = "document.querySelector('.model form[data-ready]') !== null"
FAST_TIMERS = "{ const slow = setTimeout; window.setTimeout = (f, ms) => slow(f, ms / 40); }"
"""Script that speeds up timers by 40, for tests that wait for polls: one every two seconds."""

_CONTROLS = "[...document.querySelectorAll('.rows [data-input]')]"
_BUTTON = "[...document.querySelectorAll('button')].find(each => each.textContent === {})"
_ANSWERS = """[...document.querySelectorAll('.answer[aria-busy=false]')].map(answer => ({
  title: answer.querySelector('h4').textContent,
  status: answer.querySelector('.state').textContent,
  failure: answer.querySelector('.failure')?.textContent,
  head: [...answer.querySelectorAll('th')].map(cell => cell.textContent),
  rows: [...answer.querySelectorAll('tbody tr')].map(
    row => [...row.children].map(cell => cell.textContent)),
  json: answer.querySelector('[aria-label="Reply as JSON"]')?.textContent,
  curl: answer.querySelector('[aria-label$="curl command"]').textContent,
}))"""


class PageUser:
    """Opens the page of a server and works with its form."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        self.url = url

    def open(self, model: str = "", link: str = "", **view: Any) -> PageUser:
        """Opens the view of a model, and waits until its form can be used."""
        self.browser.open(f"{self.url}/#/{quote(model, safe='')}{link}", **view)
        self.browser.wait_for(READY)
        return self

    def select(self, label: str, text: str) -> None:
        """Chooses the first option whose text starts with `text`, in the list with this label."""
        self.browser.run(
            f"""{{ const select = [...document.querySelectorAll('form label')]
              .find(each => each.textContent === {json.dumps(label)}).control;
            select.value = [...select.options]
              .find(each => each.textContent.startsWith({json.dumps(text)})).value;
            select.dispatchEvent(new Event('change')); }}"""
        )

    def select_signature(self, name: str) -> None:
        """Chooses a signature, whose fields then replace those of the previous one."""
        self.select("signature", name)

    def fill(self, index: int, text: str) -> None:
        """Replaces the text of a field, counted over all rows."""
        self.browser.run(f"{_CONTROLS}[{index}].focus()")
        if self.browser.run("document.activeElement.tagName") == "SELECT":
            self.browser.run(
                f"{{ const field = document.activeElement; field.value = {json.dumps(text)}; "
                "field.dispatchEvent(new Event('input')); }"
            )
            return
        self.browser.run("document.activeElement.select()")
        self.browser.type(text)

    def fields(self) -> list[str]:
        """Returns the texts of all fields."""
        texts: list[str] = self.browser.run(f"{_CONTROLS}.map(field => field.value)")
        return texts

    def click(self, text: str) -> None:
        """Clicks the first button with a text."""
        self.browser.run(f"{_BUTTON.format(json.dumps(text))}.click()")

    def send(self, count: int = 1) -> list[dict[str, Any]]:
        """Sends the form; returns the answers."""
        self.browser.run("document.querySelector('.answers').replaceChildren()")
        self.click("Send")
        return self.answers(count)

    def answers(self, count: int = 1) -> list[dict[str, Any]]:
        """Waits for answers; returns them."""
        found: list[dict[str, Any]] = self.browser.wait_for(
            f"{_ANSWERS}.length === {count} && {_ANSWERS}"
        )
        return found

    def text(self, selector: str) -> str:
        """Returns the text of an element."""
        found: str = self.browser.run(f"document.querySelector({json.dumps(selector)}).textContent")
        return found

    def requests(self, part: str) -> int:
        """Returns how many requests of the page have a text in their address."""
        count: int = self.browser.run(
            "performance.getEntriesByType('resource')"
            f".filter(each => each.name.includes({json.dumps(part)})).length"
        )
        return count
