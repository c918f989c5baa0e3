"""Runs the blocks of a page of documentation from top to bottom, in one shell as a reader would."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support import doc_snippets
from support.paths import BIN

PORTS = ("8500", "8501", "8510", "8511")
"""Ports that a page names; free ones take their place."""
NOT_TYPED = ("make ", "docker ")
"""Programs that a session does not run."""
ROLLOUT_TOOLS = ("seq2sum-rollout", "seq2sum-probe")
TENSORFLOW_LOG = re.compile(
    r"^([IWE]\d{4} |WARNING: All log|To enable the following|20\d\d-).*\n", re.MULTILINE
)
SECONDS = 280


@dataclass(frozen=True)
class Step:
    """A command, file or program of a page."""

    typed: str
    expected: str
    """The output that the page shows; empty if it shows none."""


@dataclass(frozen=True)
class Result:
    """The text that a step printed on both outputs, and its exit code."""

    printed: str
    code: int


def steps(page: str, *, excerpts_of: str = "") -> list[Step]:
    """Returns what a reader types, in order.

    Blocks of the language `console` have commands after a `$` and their output, blocks of `sh` are
    typed as a whole, and a block of `python` is a program, followed by its output in a block of
    `text` if it has any. Python blocks that are parts of the source `excerpts_of` are not run.
    """
    found = []
    blocks = doc_snippets.blocks(page)
    for (language, block), (following, output) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language == "console":
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                line, _, expected = part.partition("\n")
                found.append(Step(line, expected))
        elif language == "sh":
            found.append(Step(block, ""))
        elif language == "python" and block not in excerpts_of:
            program = f"python - <<'END_OF_PROGRAM'\n{block}END_OF_PROGRAM"
            found.append(Step(program, output if following == "text" else ""))
    return found


def run(all_steps: list[Step], folder: Path, ports: Sequence[int]) -> list[Result | None]:
    """Types all steps into one shell; returns their results, None for those left out.

    Args:
        all_steps: From `steps`.
        folder: The working directory.
        ports: Free ports, in the order of `PORTS`.
    """
    outputs = folder / "outputs"
    outputs.mkdir()
    if not (folder / ".venv").exists():
        (folder / ".venv").symlink_to(BIN.parent)
    target = f"localhost:{ports[0]}"
    script = [f"export PATH={shlex.quote(str(BIN))}:$PATH SEQ2SUM_TARGET={target} COLUMNS=100"]
    script += [f'{tool}() {{ command {tool} "$@" --targets {target}; }}' for tool in ROLLOUT_TOOLS]
    free = dict(zip(PORTS, map(str, ports), strict=True))
    for number, step in enumerate(all_steps):
        if not step.typed.startswith(NOT_TYPED):
            typed = re.sub("|".join(PORTS), lambda port: free[port[0]], step.typed)
            out = shlex.quote(str(outputs / str(number)))
            script.append(f"{{\n{typed}\n}} > {out} 2>&1\necho $? > {out}.code")
    (outputs / "script").write_text("\n".join(script))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SUM_")}
    shell = subprocess.Popen(
        ["bash", outputs / "script"],
        cwd=folder,
        env=clean,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        shell.wait(SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)  # a server in the background
        shell.wait()
    return [_result(outputs / str(number)) for number in range(len(all_steps))]


def _result(out: Path) -> Result | None:
    code = out.with_name(f"{out.name}.code")
    if not code.exists():
        return None
    return Result(TENSORFLOW_LOG.sub("", out.read_text()), int(code.read_text()))
