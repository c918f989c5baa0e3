"""`seq2sum watch`: polls a server and shows its versions, the reply to a probe and latencies."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import datetime
from typing import Any

from seq2sum._command.connection import call_options, connect
from seq2sum._command.errors import UsageError, error_message
from seq2sum._command.exit_codes import FAILURE, SUCCESS, ExitRequest
from seq2sum._command.json_rows import InvalidRow, parse_row
from seq2sum._command.row_batches import divided
from seq2sum._command.terminal import CLEAR_BELOW, HIDE_CURSOR, SHOW_CURSOR, UP, Terminal
from seq2sum._command.watch_view import History, Snapshot, answer_line, log_line, reply_line, screen
from seq2sum._errors import Seq2SumError
from seq2sum.addition import contract
from seq2sum.addition.client import Client

PROBE = "53+42"
"""The question for a model that adds."""


def run(options: argparse.Namespace) -> int:
    """Polls until Ctrl-C, which is a success, or for `--count` times; returns the exit code."""
    terminal = Terminal.of(sys.stdout)
    history = History()
    with connect(options, Client) as client:
        title = f"{client.model} at {client.target}, every {options.interval:g} s, Ctrl-C ends"
        try:
            if terminal.live:
                _write(HIDE_CURSOR)
            _watch(client, options, terminal, history, title)
        except KeyboardInterrupt as error:
            raise ExitRequest(SUCCESS) from error
        finally:
            if terminal.live:
                _write(SHOW_CURSOR)
    return FAILURE if history.failed else SUCCESS


def _watch(
    client: Client,
    options: argparse.Namespace,
    terminal: Terminal,
    history: History,
    title: str,
) -> None:
    height = 0
    due = time.monotonic()
    while True:
        snapshot = poll(client, options)
        history.add(snapshot)
        if terminal.live:
            lines = screen(snapshot, history, title, Terminal.of(sys.stdout))
            _write((UP.format(height) if height else "") + CLEAR_BELOW + "\n".join(lines) + "\n")
            height = len(lines)
        else:
            _write(f"{log_line(snapshot, history)}\n")
        if history.polls == options.count:
            return
        # After a poll that took longer than the interval, the next one starts at once.
        due = max(due + options.interval, time.monotonic())
        time.sleep(max(0, due - time.monotonic()))


def poll(client: Client, options: argparse.Namespace) -> Snapshot:
    """Requests the versions and sends the probe; errors are part of the snapshot."""
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    try:
        versions = client.versions(version=options.version)
    except Seq2SumError as error:
        return Snapshot(now, errors=(error_message(error),))
    try:
        start = time.perf_counter()
        reply = probe(client, options)
        seconds = time.perf_counter() - start
    except Seq2SumError as error:
        return Snapshot(now, versions, errors=(error_message(error),))
    return Snapshot(now, versions, reply, None if reply is None else seconds)


def probe(client: Client, options: argparse.Namespace) -> str | None:
    """Sends the probe and returns the reply in one line; None without a probe."""
    given = options.probe
    if given is None and client.model == contract.MODEL_NAME:
        given = PROBE
    if given is None:
        return None
    if isinstance(given, str) and given.startswith("{"):
        prediction = client.predict(_row(given), **call_options(options))
        return reply_line(next(divided(prediction, 1)), prediction.version)
    return answer_line(client.add(given, **call_options(options)))


def _row(given: str) -> dict[str, list[Any]]:
    """Returns the inputs of a probe that is a row, as in `predict`.

    Raises:
        UsageError: It is not one.
    """
    try:
        return {name: [value] for name, value in parse_row(given).items()}
    except (InvalidRow, AttributeError) as error:
        raise UsageError(f"invalid --probe {given}: {error}") from error


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
