"""The READMEs and the page of the client: their snippets run, and their commands exist."""

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

FILES = ("README.md", "client/README.md", "docs/client.md")

README = doc_snippets.text("README.md")
BLOCKS = doc_snippets.blocks(README)
PYTHON = {
    f"{file}, {number}": (code, output)
    for file in FILES
    for number, ((language, code), (_, output)) in enumerate(
        pairwise(doc_snippets.blocks(doc_snippets.text(file)))
    )
    if language == "python"
}
"""Each Python block, and the following block with its output."""
COMMANDS = doc_snippets.commands(README) + doc_snippets.commands(
    doc_snippets.text("CONTRIBUTING.md")
)


@pytest.fixture(scope="module")
def server(demo, tmp_path_factory):
    """A server of the model that the demo trained."""
    base = demo.folder / "models" / "seq2sum"
    started = servers.Server.launch(base, tmp_path_factory.mktemp("readme"), forked=True)
    yield started.wait_until_open()
    started.stop()


def test_the_readme_has_snippets():
    assert len(PYTHON) >= 6
    assert len(COMMANDS) > 8


@pytest.mark.parametrize(("code", "output"), PYTHON.values(), ids=PYTHON)
def test_a_python_block_prints_the_following_block(server, code, output):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code.replace("localhost:8500", server.target), {"__name__": "readme"})
    assert printed.getvalue() == output


def test_the_client_commands_print_their_documented_output(server):
    [block] = [text for language, text in BLOCKS if language == "console" and "seq2sum add" in text]
    printed = []
    for line in block.splitlines():
        if line.startswith("$ seq2sum "):
            printed.append(line)
            command = [BIN / "seq2sum", *shlex.split(line)[2:], "--target", server.target]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
            printed += done.stdout.splitlines()
    assert mask_run_dependent("\n".join(printed)) == mask_run_dependent(block)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_exists_with_its_options(line):
    doc_snippets.exists(line)


def test_the_demo_prints_the_excerpt_of_the_readme(demo):
    [excerpt] = [text for language, text in BLOCKS if language == "text" and "$ seq2sum" in text]
    printed = mask_run_dependent(demo.output)
    for line in mask_run_dependent(excerpt):
        assert line in printed
