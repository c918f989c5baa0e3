"""The way through, from nothing to an answer: train, evaluate, export, serve, ask.

Run by `make demo`. Every command is shown before it runs, so that it can be repeated by hand.
Works in the current folder: the run goes to runs/, the version to models/seq2sum/.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import seq2sum

BIN = Path(sys.executable).parent
BASE = Path("models", seq2sum.addition.contract.MODEL_NAME)
QUESTIONS = ("53+42", "123+456", "999+1")
MALFORMED = "53+4x"
SECONDS_TO_START = 60


def main() -> int:
    """Runs the demo; gives back the exit code."""
    began = time.perf_counter()
    run = Path("runs", f"demo-{datetime.now().astimezone():%Y%m%d-%H%M%S}")
    heading("1. Train the network, then ask it every question there is")
    command("seq2sum-train", "fit", "default", "--out", str(run))
    command("seq2sum-train", "evaluate", str(run))

    heading("2. Export it as the next version below the model's base path")
    command("seq2sum-train", "export", str(run), "--to", str(BASE))

    heading("3. Serve it (in production: docker compose up)")
    with server(log=run / "server.log") as target:
        heading("4. Ask it, from Python and from the shell")
        ask(target)
        command("seq2sum", "add", "--target", target, "53+42")
        command("seq2sum", "status", "--target", target)
    print(
        f"\nDone in {time.perf_counter() - began:.0f} s; the server is stopped, the version "
        f"stays in {BASE}.\nTo type the commands yourself: source {activate()}"
    )
    return 0


def ask(target: str) -> None:
    """Asks through the SDK, showing the code."""
    show(f'>>> client = seq2sum.Client("{target}")')
    with seq2sum.Client(target) as client:
        for question in QUESTIONS:
            show(f'>>> client.add("{question}")')
            print(client.add(question))
        show(f'>>> client.add("{MALFORMED}")')
        try:
            client.add(MALFORMED)
        except seq2sum.InvalidQuestion as error:
            print(f"seq2sum.InvalidQuestion: {error}")
        print()


@contextmanager
def server(log: Path) -> Iterator[str]:
    """An embedded server while the block runs; yields its target."""
    port = free_port()
    line = [
        "seq2sum-serve",
        f"--port={port}",
        f"--model_name={BASE.name}",
        f"--model_base_path={BASE.resolve()}",
    ]
    show(f"$ {shlex.join(line)} &")
    with log.open("w") as file:
        process = subprocess.Popen([BIN / line[0], *line[1:]], stdout=file, stderr=file)
    target = f"localhost:{port}"
    try:
        wait_until_open(port, process, log)
        print(f"it listens on {target} and logs to {log}")
        yield target
    finally:
        process.terminate()
        process.wait()


def wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits for the port, which opens when the version is available."""
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit(f"the server did not start; its log is {log}:\n{log.read_text()}")


def free_port() -> int:
    """TensorFlow Serving's own port if it is free, and any other if not."""
    for port in (8500, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("port 0 is always free")


def command(*line: str) -> None:
    """Shows a command and runs it; ends the demo if it fails."""
    show(f"$ {shlex.join(line)}")
    done = subprocess.run([BIN / line[0], *line[1:]], check=False)
    if done.returncode != 0:
        sys.exit(f"demo: that failed with exit code {done.returncode}")


def activate() -> Path:
    """What puts the commands on a shell's path, as short as it can be said."""
    script = BIN / "activate"
    return script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script


def heading(text: str) -> None:
    """A station of the way."""
    print(f"\n=== {text}", flush=True)


def show(text: str) -> None:
    """What a reader could type; the commands are in .venv/bin."""
    print(f"\n{text}" if text.startswith("$") else text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
