"""`seq2sum watch`: polls a server and shows its versions, the reply to a probe and latencies."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import datetime

from seq2sum._command.connection import connect
from seq2sum._command.errors import error_message
from seq2sum._command.exit_codes import FAILURE, SUCCESS, ExitRequest
from seq2sum._command.probe import QuestionProbe, RowProbe, probe
from seq2sum._command.terminal import CLEAR_BELOW, HIDE_CURSOR, SHOW_CURSOR, UP, Terminal
from seq2sum._command.watch_view import History, Snapshot, log_line, screen
from seq2sum._errors import Seq2SumError
from seq2sum.addition.client import Client


def run(options: argparse.Namespace) -> int:
    """Polls until Ctrl-C, which is a success, or for `--count` times; returns the exit code."""
    terminal = Terminal.of(sys.stdout)
    history, sent = History(), probe(options)
    with connect(options, Client) as client:
        title = f"{client.model} at {client.target}, every {options.interval:g} s, Ctrl-C ends"
        try:
            if terminal.live:
                _write(HIDE_CURSOR)
            _watch(client, options, sent, terminal, history, title)
        except KeyboardInterrupt as error:
            raise ExitRequest(SUCCESS) from error
        finally:
            if terminal.live:
                _write(SHOW_CURSOR)
    return FAILURE if history.failed else SUCCESS


def _watch(
    client: Client,
    options: argparse.Namespace,
    sent: QuestionProbe | RowProbe | None,
    terminal: Terminal,
    history: History,
    title: str,
) -> None:
    height = 0
    due = time.monotonic()
    while True:
        snapshot = poll(client, options, sent)
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


def poll(
    client: Client, options: argparse.Namespace, sent: QuestionProbe | RowProbe | None
) -> Snapshot:
    """Requests the versions and sends the probe; errors are part of the snapshot."""
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    try:
        versions = client.versions(version=options.version)
    except Seq2SumError as error:
        return Snapshot(now, errors=(error_message(error),))
    if sent is None:
        return Snapshot(now, versions)
    try:
        sent.prepare(client)
        start = time.perf_counter()
        reply = sent.reply(client)
        seconds = time.perf_counter() - start
    except Seq2SumError as error:
        return Snapshot(now, versions, errors=(error_message(error),))
    return Snapshot(now, versions, reply, seconds)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
