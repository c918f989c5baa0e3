"""Chromium, controlled over a pipe by the DevTools protocol, for tests of the page.

It needs no driver program or package: commands are JSON texts that end with a zero byte.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support import system

EXECUTABLE = system.program("chromium")

REPLY_SECONDS = 60
ATTEMPTS = 5
NETWORK_CHANGED = "ERR_NETWORK_CHANGED"
"""Chromium aborts requests, also those on the loopback, while other programs add interfaces."""

# Chromium reads commands from file descriptor 3 and writes replies to 4.
_START = "import os,sys; os.dup2(int(sys.argv[1]),3); os.dup2(int(sys.argv[2]),4); "
_START += "os.execv(sys.argv[3], sys.argv[3:])"
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


class Browser:
    """One browser with one page."""

    def __init__(self, folder: Path) -> None:
        assert EXECUTABLE
        # Above 4, so that moving one descriptor does not overwrite another.
        commands, self._out = _pipe()
        self._in, responses = _pipe()
        with (folder / "browser.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _START, str(commands), str(responses)),
                    *(str(EXECUTABLE), *_FLAGS, f"--user-data-dir={folder / 'profile'}"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(commands, responses),
                # Without the settings of the user's desktop.
                env={**os.environ, "HOME": str(folder), "DBUS_SESSION_BUS_ADDRESS": "disabled:"},
            )
        os.close(commands)
        os.close(responses)
        self._number = 0
        self._unread = b""
        self._session: str | None = None
        self.messages: list[dict[str, Any]] = []
        """Log entries and exceptions of the page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, url: str, *, width: int = 1100, height: int = 900, dark: bool = False) -> None:
        """Opens a page and waits until it is loaded; its script may still be running."""
        self.resize(width, height)
        self.set_theme(dark=dark)
        for _ in range(ATTEMPTS):
            self.call("Page.navigate", url="about:blank")
            self.messages.clear()
            self.call("Page.navigate", url=url)
            self.wait_for("location.protocol != 'about:' && document.readyState == 'complete'")
            if NETWORK_CHANGED not in str(self.messages):
                return

    def resize(self, width: int, height: int) -> None:
        """Sets the size of the page."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def set_theme(self, *, dark: bool) -> None:
        """Sets the theme that the user prefers."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def run(self, script: str) -> Any:
        """Evaluates an expression in the page, and waits for its value if that is a promise."""
        reply = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    def wait_for(self, condition: str) -> Any:
        """Waits until an expression in the page is truthy; returns its value."""
        deadline = time.monotonic() + REPLY_SECONDS
        while not (value := self.run(condition)):
            assert time.monotonic() < deadline, f"timeout: {condition}\n{self.messages}"
            time.sleep(0.05)
        return value

    def type(self, text: str) -> None:
        """Types into the element with the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, *, control: bool = False) -> None:
        """Presses a key: `Enter` or `Tab`, perhaps with the control key."""
        code = {"Enter": 13, "Tab": 9}[key]
        for kind, text in (("keyDown", "\r" if key == "Enter" else ""), ("keyUp", "")):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                text=text,
                windowsVirtualKeyCode=code,
                modifiers=2 if control else 0,
            )

    @contextlib.contextmanager
    def in_another_tab(self) -> Iterator[None]:
        """Opens another tab, which hides the page, and closes it."""
        other = self.call("Target.createTarget", url="about:blank")["targetId"]
        try:
            yield
        finally:
            self.call("Target.closeTarget", targetId=other)

    def go_offline(self, *, offline: bool = True) -> None:
        """Disconnects the page from the network, or reconnects it."""
        self.call(
            "Network.emulateNetworkConditions",
            offline=offline,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )

    def screenshot(self, path: Path) -> None:
        """Saves a picture of the whole page."""
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(picture))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends one command of the protocol; returns its result."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                return message["result"]
            if message.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.messages.append(message["params"])

    def close(self) -> None:
        """Ends the browser."""
        try:
            self._session = None
            self.call("Browser.close")
        except (AssertionError, OSError):
            self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._in], [], [], REPLY_SECONDS)
            piece = os.read(self._in, 1 << 20) if ready else b""
            assert piece, "the browser does not reply"
            self._unread += piece
        text, self._unread = self._unread.split(b"\0", 1)
        return json.loads(text)


def _pipe() -> list[int]:
    """Opens a pipe with descriptors above those that Chromium uses."""
    return [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 5) if end < 5 else end for end in os.pipe()]
