"""The commands of docs/rollouts.md and docs/probe.md print what the pages show."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess

import pytest
from support import doc_snippets, servers
from support.paths import BIN

pytestmark = pytest.mark.end_to_end

PAGES = doc_snippets.text("docs/rollouts.md") + doc_snippets.text("docs/probe.md")
"""The probe shows the labels as the rollouts left them."""
CONSOLE_BLOCKS = [
    block
    for block in re.findall(r"^```console\n(.*?)^```$", PAGES, re.MULTILINE | re.DOTALL)
    if "$ seq2sum-rollout" in block or "$ seq2sum-probe" in block
]
FLAGS = [
    "--model_config_file_poll_wait_seconds=5",
    "--allow_version_labels_for_unavailable_models=true",
    "--num_load_threads=1",
    "--max_num_load_retries=0",
]
POLICY = """
[latency]
samples = 50
slack_milliseconds = 1000.0
max_p99_milliseconds = 5000.0
[live]
min_calls = 1
[traffic]
steps = [10, 50]
bake = 2
settle = 1
"""
"""As in the page, but faster, and with tolerance for a busy machine."""


@pytest.fixture(scope="module")
def operator(small_version, shuffled_version, tmp_path_factory):
    """Runs commands in a folder where three servers read one models.config."""
    folder = tmp_path_factory.mktemp("rollouts")
    shutil.copytree(small_version, folder / "models" / "seq2sum" / "1")
    shutil.copytree(small_version, folder / "exports" / "fast" / "1")
    shutil.copytree(shuffled_version, folder / "exports" / "wrong" / "1")
    [config] = re.findall(r"^```\n(model_config_list.*?)^```$", PAGES, re.MULTILINE | re.DOTALL)
    base = folder / "models" / "seq2sum"
    (folder / "models.config").write_text(config.replace("/models/seq2sum", str(base)))
    candidate_config = folder / "candidate.config"
    shutil.copy(folder / "models.config", candidate_config)

    def launch(config):
        port, rest_port = servers.free_ports()
        return servers.Server.launch(
            None, folder, config=config, flags=FLAGS, port=port, rest_port=rest_port, forked=True
        )

    replicas = [launch(folder / "models.config") for _ in range(3)]
    candidate = launch(candidate_config)
    try:
        targets = ",".join(replica.wait_until_open().target for replica in replicas)
        (folder / "gates.toml").write_text(
            POLICY + f'[candidate]\ntargets = "{candidate.wait_until_open().target}"\n'
        )

        def command(line):
            program, *options = shlex.split(line)
            done = subprocess.run(
                [BIN / program, *options, "--targets", targets],
                cwd=folder,
                env=os.environ | {"COLUMNS": "100"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=120,
            )
            return done.stdout

        yield command
    finally:
        for server in (*replicas, candidate):
            server.stop()


def masked(text):
    """Masks numbers, addresses and widths, and removes progress lines."""
    text = re.sub(r"^\d\d:\d\d:\d\d    \d+ (s|of \d+ s):.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"answers is '[^']*' \(expected '\d+'\)", "a wrong answer", text)
    text = re.sub(r"(127\.0\.0\.1|localhost|)(:\d+)", ":#", text)
    text = re.sub(r"\S+@\S+", "who", text)
    text = re.sub(r"\d[\d.,]*( ms)?", "#", text)
    text = re.sub(r"/\S*/exports", "exports", text)
    return " ".join(re.sub("─+", "─", text).split())


def test_the_pages_have_the_commands():
    assert len(CONSOLE_BLOCKS) == 6


@pytest.mark.parametrize("number", range(len(CONSOLE_BLOCKS)))
def test_commands_print_their_documented_output(operator, number):
    """In order: each block continues from the previous one."""
    for part in CONSOLE_BLOCKS[number].split("$ ")[1:]:
        line, _, expected = part.partition("\n")
        assert masked(operator(line)) == masked(expected)
