"""Records the pictures of rollouts in docs/pictures: `make recording`.

Three servers of the model of examples/sentiment, a candidate server, and the commands of
docs/your-model.md. `rollout-watch.svg` is the live view while version 2 is rolled out;
`rollout-refused.svg` is the animation of version 3, whose training data had its labels swapped.
What the commands print is real; only waiting is cut, and verdicts get the colours of `watch`.
"""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import terminal_svg
from rich.text import Text
from support import processes, servers
from support.paths import BIN, ROOT
from terminal_svg import Piece

EXAMPLE = ROOT / "examples" / "sentiment"
PICTURES = ROOT / "docs" / "pictures"
STABLE, CANDIDATE = (8500, 8510, 8520), 8530
COLUMNS, ROWS = 104, 29
FLAGS = (
    "--model_config_file_poll_wait_seconds=1",
    "--allow_version_labels_for_unavailable_models=true",
    "--num_load_threads=1",
)
CONFIG = """\
model_config_list {{
  config {{
    name: "sentiment"
    base_path: "{base}"
    model_platform: "tensorflow"
  }}
}}
"""
POLICY = f"""\
[candidate]
targets = "localhost:{CANDIDATE}"
[latency]
samples = 50
slack_milliseconds = 500.0
max_p99_milliseconds = 2000.0
[live]
min_calls = 10
[traffic]
steps = [10, 50]
bake = 12
settle = 1
"""
GOLDEN = [
    f"{word} {thing}"
    for thing in ("coffee", "phone")
    for word in ("great", "awful", "good", "poor")
]
"""Reviews whose scores must stay as they are."""
NEAR = {"score": {"atol": 0.3}}
PREPARATION = (
    "golden record 1 --from golden_inputs.jsonl",
    "contract record 1",
    "promote 1 --policy gates.toml --reason first",
)
VERSIONS = {
    "sentiment/1": (),
    "exports/better": ("--ngrams", "2"),
    "exports/swapped-labels": ("--ngrams", "2", "--flip-labels"),
}
"""Options of the example's training by the folder of a version."""
GOOD = 'run exports/better --policy gates.toml --reason "understands not great"'
BAD = 'run exports/swapped-labels --policy gates.toml --reason "more data"'
MANY = 3
"""A line that needs more lines of the screen is long."""
TERMINAL = {"TERM": "xterm-256color", "TTY_INTERACTIVE": "0", "LOGNAME": "ann"}
"""Variables of the environment: colours, no cursor movements, and the user in the history."""
MAX_GAP, MIN_GAP, WORD_SECONDS, READING, HOLD = 0.7, 0.15, 0.1, 1.5, 6.0
"""Seconds: between lines at most and at least, for a typed word, after a long line, at the end."""


def main() -> int:
    """Records both pictures; returns the exit code."""
    os.environ.update(TERMINAL)
    os.environ.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory() as name, deployment(Path(name)) as folder:
        for line in PREPARATION:
            run(line, folder)
        (PICTURES / "rollout-watch.svg").write_text(record_watch(folder))
        (PICTURES / "rollout-refused.svg").write_text(record_refusal(folder))
    return 0


@contextmanager
def deployment(folder: Path) -> Iterator[Path]:
    """Trains the versions, and runs the servers in a folder."""
    base = folder / "sentiment"
    for version, options in VERSIONS.items():
        subprocess.run(
            [sys.executable, EXAMPLE / "train.py", "--to", folder / version, *options], check=True
        )
    for name in ("models.config", "candidate.config"):
        (folder / name).write_text(CONFIG.format(base=base))
    (folder / "gates.toml").write_text(POLICY)
    lines = [json.dumps({"inputs": {"text": [text]}, "compare": NEAR}) for text in GOLDEN]
    (folder / "golden_inputs.jsonl").write_text("\n".join(lines))
    with ExitStack() as stack:
        stack.callback(processes.close)
        found = []
        for port in (*STABLE, CANDIDATE):
            config = folder / ("candidate.config" if port == CANDIDATE else "models.config")
            server = servers.Server.launch(
                None, folder, config=config, flags=FLAGS, port=port, rest_port=port + 1
            )
            stack.callback(server.stop)
            found.append(server)
        for server in found:
            server.wait_until_open()
        yield folder


def command(line: str) -> list[str]:
    """Returns a rollout command with its arguments."""
    targets = ",".join(f"localhost:{port}" for port in STABLE)
    return [str(BIN / "seq2sum-rollout"), *shlex.split(line), "--targets", targets]


def run(line: str, folder: Path) -> None:
    """Runs a rollout command that nobody sees."""
    subprocess.run(command(line), cwd=folder, check=True, stdout=subprocess.DEVNULL)


Recorded = list[tuple[float, str]]
"""Lines with their time in seconds."""


def record(line: str, folder: Path) -> tuple[Recorded, int]:
    """Runs a rollout command in a terminal; returns its lines and its exit code."""
    terminal, inside = pty.openpty()
    termios.tcsetwinsize(inside, (ROWS, COLUMNS))
    lines: Recorded = []
    with subprocess.Popen(
        command(line), cwd=folder, stdin=inside, stdout=inside, stderr=inside
    ) as process:
        os.close(inside)
        start = time.monotonic()
        with os.fdopen(terminal, errors="replace") as output:
            try:
                for text in output:
                    lines.append((time.monotonic() - start, text.rstrip("\r\n")))
            except OSError:
                pass  # Linux reports the end of a terminal as an error
    return lines, process.returncode


def record_watch(folder: Path) -> str:
    """Returns the live view in the last step of a run."""
    line = command(GOOD)
    with subprocess.Popen(line, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for text in process.stderr:
            if "step at weight 50 %" in text:
                time.sleep(8)
                lines, _ = record("watch --count 1 --policy gates.toml", folder)
                break
        process.communicate()
    assert process.returncode == 0, "the good version was not promoted"
    return terminal_svg.still([Text.from_ansi(text) for _, text in lines], columns=COLUMNS)


def record_refusal(folder: Path) -> str:
    """Returns the animation of a bad version that is taken back."""
    refused, code = record(BAD, folder)
    assert code == 1, "the bad version was not refused"
    shown, _ = record("status --policy gates.toml", folder)
    scenes: list[tuple[str, Recorded]] = [
        ("# A new version: somebody swapped the labels in its training data.", []),
        (f"seq2sum-rollout {BAD}", refused),
        ("echo $?", [(0, str(code))]),
        ("# No caller met it: all of them still get version 2.", []),
        ("seq2sum-rollout status --policy gates.toml", shown),
    ]
    pieces = timeline(scenes)
    seconds = round(pieces[-1].at + HOLD)
    return terminal_svg.animation(pieces, columns=COLUMNS, rows=ROWS, seconds=seconds)


def timeline(scenes: Sequence[tuple[str, Recorded]]) -> list[Piece]:
    """Returns the typed commands word by word, and their lines, with waiting cut."""
    pieces: list[Piece] = []
    now, row = 0.3, 0
    for typed, lines in scenes:
        prompt, style = Text().append("$ ", "bold green"), "dim" if typed[0] == "#" else "bold"
        pieces.append(Piece(round(now, 2), row, 0, prompt))
        column = len(prompt)
        for word in typed.split(" "):
            now += WORD_SECONDS
            pieces.append(Piece(round(now, 2), row, column, Text().append(word, style)))
            column += len(word) + 1
        row, before = row + 1, 0.0
        for at, text in lines:
            now += min(MAX_GAP, max(MIN_GAP, at - before))
            parts = wrapped(text)
            for part in parts:
                pieces.append(Piece(round(now, 2), row, 0, part))
                row += 1
            now += READING if len(parts) > MANY else 0
            before = at
        now += MAX_GAP
    return pieces


def wrapped(line: str) -> list[Text]:
    """Returns the lines of a terminal that show a line."""
    text = Text.from_ansi(line)
    text.highlight_regex("(?<=   )Successful(?= )|has all traffic", "green")
    text.highlight_regex("(?<=   )Failed(?= )|aborting the run", "bold red")
    return list(text.divide(range(COLUMNS, len(text), COLUMNS))) or [text]


if __name__ == "__main__":
    sys.exit(main())
