"""Takes the pictures of the server's page, docs/page.png and docs/page-dark.png.

Run by `make page-pictures`. The argument is a version directory; without it, the newest version
that `make demo` exported is used. The server has that version twice, a version that cannot be
loaded, and a second model; it gets gRPC and REST calls for a minute.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import seq2sum
from PIL import Image
from support import broken_models, page_server, saved_models
from support.browser import Browser
from support.page_user import PageUser
from support.paths import ROOT

MODELS = ROOT / "models" / seq2sum.addition.contract.MODEL_NAME
PICTURES = {"page.png": False, "page-dark.png": True}
"""Files in docs/, and whether they are dark."""
WIDTH = 1000
COLORS = 128
SECONDS_OF_CALLS = 60
CALL = {"signature_name": "serving_default", "inputs": {"questions": ["53+42", "999+1"]}}


def main(arguments: Sequence[str]) -> int:
    """Takes the pictures; returns the exit code."""
    exported = [Path(argument) for argument in arguments] or sorted(
        (path for path in MODELS.glob("*") if path.name.isdecimal()),
        key=lambda path: int(path.name),
    )
    if not exported:
        print(f"no exported version in {MODELS}: run make demo first", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="models-") as temporary:
        folder = Path(temporary)
        base = folder / "seq2sum"
        for version in ("1", "2"):
            shutil.copytree(exported[-1], base / version)
        saved_models.export_price(folder / "price" / "1")
        labels = {"stable": 1, "canary": 2}
        models = [page_server.Model("seq2sum", base, labels)]
        models += [page_server.Model("price", folder / "price")]
        with contextlib.closing(Browser(folder)) as browser:
            server = page_server.launch(models, folder)
            try:
                server.wait_until_open()
                broken_models.truncated(base / "1", folder / "broken").rename(base / "3")
                take(PageUser(browser, server.url), server.target)
            finally:
                server.stop()
    return 0


def take(user: PageUser, target: str) -> None:
    """Takes both pictures while callers send calls."""
    user.open("seq2sum", f"?body={json.dumps(CALL).replace('+', '%2B')}", width=WIDTH)
    with callers(user.url, target):
        time.sleep(SECONDS_OF_CALLS)
        user.send()
        user.select("send to", "label stable")
        user.send()
        for name, dark in PICTURES.items():
            browser = user.browser
            browser.set_theme(dark=dark)
            browser.resize(WIDTH, browser.run("document.documentElement.scrollHeight"))
            path = ROOT / "docs" / name
            browser.screenshot(path)
            Image.open(path).convert("RGB").quantize(COLORS).save(path, optimize=True)
            print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


@contextlib.contextmanager
def callers(url: str, target: str) -> Iterator[None]:
    """Sends calls by gRPC and by REST, with pauses of varying lengths."""
    stopping = threading.Event()

    def by_rest() -> None:
        body = json.dumps({"instances": ["53+42"]}).encode()
        with urllib.request.urlopen(f"{url}/v1/models/seq2sum:predict", body) as reply:
            reply.read()

    def repeat(call: Callable[[], object], pause: float) -> None:
        while not stopping.wait(random.expovariate(1 / pause)):
            call()

    with seq2sum.Client(target) as client:
        calls = ((lambda: client.add("53+42"), 0.02), (by_rest, 0.1))
        threads = [threading.Thread(target=repeat, args=each) for each in calls]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stopping.set()
            for thread in threads:
                thread.join()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
