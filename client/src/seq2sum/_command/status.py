"""`seq2sum status`: shows the versions of a model on a server."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from seq2sum._command.connection import call_options, connect
from seq2sum._command.errors import CommandError, one_line
from seq2sum._command.exit_codes import FAILURE, SUCCESS
from seq2sum._errors import DeadlineExceeded
from seq2sum._model_client import ModelClient
from seq2sum._versions import State, VersionStatus


def run(options: argparse.Namespace) -> int:
    """Runs the subcommand; returns the exit code."""
    with connect(options, ModelClient) as client:
        version = options.version
        if options.wait is not None:
            _wait(client, options)
        if options.label is not None:  # GetModelStatus has no labels
            version = client.describe(**call_options(options)).version
        statuses = client.versions(version=version)
    print(as_json(client.target, client.model, statuses) if options.json else text(statuses))
    return SUCCESS if any(each.state is State.AVAILABLE for each in statuses) else FAILURE


def _wait(client: ModelClient, options: argparse.Namespace) -> None:
    try:
        client.wait_until_available(
            version=options.version, label=options.label, timeout=options.wait
        )
    except DeadlineExceeded as error:
        raise CommandError(f"{error}; set a longer --wait") from error


def text(statuses: Sequence[VersionStatus]) -> str:
    """Returns a line for each version."""
    return "\n".join(map(line, statuses)) or "no versions"


def line(status: VersionStatus) -> str:
    """Returns a line such as `version 3  AVAILABLE`, with the error if there is one."""
    return f"version {status.version}  {status.state.name}  {one_line(status.error)}".rstrip()


def as_json(target: str, model: str, statuses: Sequence[VersionStatus]) -> str:
    """Returns a JSON object."""
    versions = [
        {"version": status.version, "state": status.state.name, "error": status.error}
        for status in statuses
    ]
    return json.dumps({"target": target, "model": model, "versions": versions})
