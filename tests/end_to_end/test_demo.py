"""The demo trains, exports and serves a model, and shows every command."""

from __future__ import annotations

import re
import socket

import pytest

pytestmark = pytest.mark.server


def test_the_sdk_gets_correct_answers_with_confidence_and_version(demo):
    found = re.findall(
        r"Answer\(question='(.*?)', text='(\d+)', value=(\d+), confidence=(0\.\d+), version=(\d+)",
        demo.output,
    )
    answers = {question: (text, value, version) for question, text, value, _, version in found}
    assert answers == {
        "53+42": ("95", "95", "1"),
        "123+456": ("579", "579", "1"),
        "999+1": ("1000", "1000", "1"),
    }
    assert all(0.5 < float(confidence) <= 1 for _, _, _, confidence, _ in found)
    assert "seq2sum.InvalidQuestion: '53+4x' is not a question" in demo.output


def test_the_model_answers_all_pairs_correctly(demo):
    assert re.search(r"errors ([\d,]+) of 1,000,000", demo.output)[1] == "0"


def test_every_command_is_printed(demo):
    commands = re.findall(r"^\$ (\S+ ?\S*)", demo.output, re.MULTILINE)
    assert commands == [
        "seq2sum-train fit",
        "seq2sum-train evaluate",
        "seq2sum-train export",
        *[c for c in commands if c.startswith("seq2sum-serve --port=")],
        "seq2sum add",
        "seq2sum status",
    ]
    assert len(commands) == 6


def test_the_version_remains_and_the_server_is_stopped(demo):
    assert (demo.folder / "models" / "seq2sum" / "1" / "saved_model.pb").is_file()
    port = int(re.search(r"listening on localhost:(\d+)", demo.output)[1])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
