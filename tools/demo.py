"""The demo, run by `make demo`: trains, evaluates, exports and serves a model, and calls it.

    python tools/demo.py [RECIPE]

Prints every command before it runs, so that a reader can repeat it. Writes into the current
folder: the run into runs/, the version into models/seq2sum/.
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
START_TIMEOUT_SECONDS = 60


def main() -> int:
    """Runs the demo; returns the exit code."""
    start = time.perf_counter()
    recipe = sys.argv[1] if len(sys.argv) > 1 else "default"
    run = Path("runs", f"demo-{datetime.now().astimezone():%Y%m%d-%H%M%S}")
    heading("1. Train the network, then evaluate it on every question")
    command("seq2sum-train", "fit", recipe, "--out", str(run))
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
        f"\nDone in {time.perf_counter() - start:.0f} s. The server has stopped; the version "
        f"remains in {BASE}.\nTo go on, start the server again:\n\n"
        f"  source {activation_script()}\n"
        f"  seq2sum-serve --port=8500 --rest_api_port=8501 --model_name={BASE.name} "
        f'--model_base_path="$PWD/{BASE}"\n'
    )
    return 0


def ask(target: str) -> None:
    """Asks the questions with the Python client, and prints the code."""
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
    """Runs an embedded server during the block; yields its target."""
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
        print(f"listening on {target}, logging to {log}")
        yield target
    finally:
        process.terminate()
        process.wait()


def wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until the port opens, which happens when the version is AVAILABLE."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit(f"the server did not start; its log {log}:\n{log.read_text()}")


def free_port() -> int:
    """Returns 8500, TensorFlow Serving's default port, if it is free, otherwise another one."""
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
    """Prints a command and runs it; ends the demo if it fails."""
    show(f"$ {shlex.join(line)}")
    done = subprocess.run([BIN / line[0], *line[1:]], check=False)
    if done.returncode != 0:
        sys.exit(f"demo: {line[0]} failed with exit code {done.returncode}")


def activation_script() -> Path:
    """Returns the script that puts the commands on a shell's path, relative if possible."""
    script = BIN / "activate"
    return script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script


def heading(text: str) -> None:
    """Prints the heading of a step."""
    print(f"\n=== {text}", flush=True)


def show(text: str) -> None:
    """Prints something that a reader can type."""
    print(f"\n{text}" if text.startswith("$") else text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
