"""client/README.md and docs/client.md: Python and commands print what the page shows."""

from __future__ import annotations

import contextlib
import io
import shlex
import subprocess
from itertools import pairwise

import pytest
from support import doc_snippets, servers
from support.masked_output import mask_run_dependent
from support.paths import BIN

pytestmark = [pytest.mark.server, pytest.mark.end_to_end]

FILES = ("client/README.md", "docs/client.md")
PYTHON = {
    f"{file}, {number}": (code, output)
    for file in FILES
    for number, ((language, code), (_, output)) in enumerate(
        pairwise(doc_snippets.blocks(doc_snippets.text(file)))
    )
    if language == "python"
}
"""Each Python block, and the following block with its output."""
[CONSOLE] = [
    text
    for language, text in doc_snippets.blocks(doc_snippets.text(FILES[1]))
    if language == "console"
]


@pytest.fixture(scope="module")
def server(demo, tmp_path_factory):
    """A server of the model that the demo trained."""
    base = demo.folder / "models" / "seq2sum"
    started = servers.Server.launch(base, tmp_path_factory.mktemp("page"), forked=True)
    yield started.wait_until_open()
    started.stop()


@pytest.mark.parametrize(("code", "output"), PYTHON.values(), ids=PYTHON)
def test_a_python_block_prints_the_following_block(server, code, output):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code.replace("localhost:8500", server.target), {"__name__": "page"})
    assert printed.getvalue() == output


def test_commands_print_their_documented_output(server):
    printed = []
    for line in CONSOLE.splitlines():
        if line.startswith("$ seq2sum "):
            printed.append(line)
            command = [BIN / "seq2sum", *shlex.split(line)[2:], "--target", server.target]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
            printed += done.stdout.splitlines()
    assert mask_run_dependent("\n".join(printed)) == mask_run_dependent(CONSOLE)
