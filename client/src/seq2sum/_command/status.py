"""`seq2sum status`: the versions that a server has."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from seq2sum._client import Client
from seq2sum._command.complaints import Failure, one_line
from seq2sum._command.connection import asked, connected
from seq2sum._command.endings import DONE, FAILED
from seq2sum._errors import DeadlineExceeded
from seq2sum._versions import State, VersionStatus


def run(options: argparse.Namespace) -> int:
    """Does what the command line asks for; gives back the exit code."""
    with connected(options) as client:
        version = options.version
        if options.wait is not None:
            _wait(client, options)
        if options.label is not None:  # servers tell the states of versions, not of labels
            version = client.describe(**asked(options)).version
        found = client.versions(version=version)
    print(as_json(client.target, client.model, found) if options.json else text(found))
    return DONE if any(entry.state is State.AVAILABLE for entry in found) else FAILED


def _wait(client: Client, options: argparse.Namespace) -> None:
    try:
        client.wait_until_available(
            version=options.version, label=options.label, timeout=options.wait
        )
    except DeadlineExceeded as error:
        raise Failure(f"{error}; give it longer with --wait") from error


def text(found: Sequence[VersionStatus]) -> str:
    """For a reader: a line a version."""
    return "\n".join(line(entry) for entry in found) or "no versions"


def line(entry: VersionStatus) -> str:
    """One version: `version 3  AVAILABLE`, and why it failed if it did."""
    return f"version {entry.version}  {entry.state.name}  {one_line(entry.error)}".rstrip()


def as_json(target: str, model: str, found: Sequence[VersionStatus]) -> str:
    """For a program."""
    versions = [
        {"version": entry.version, "state": entry.state.name, "error": entry.error}
        for entry in found
    ]
    return json.dumps({"target": target, "model": model, "versions": versions})
