"""`seq2sum watch`: looks at a server again and again."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import datetime

from seq2sum._client import Client
from seq2sum._command.complaints import complaint
from seq2sum._command.connection import asked, connected
from seq2sum._command.endings import DONE, FAILED, Ended
from seq2sum._command.sight import History, Sight, row, screen
from seq2sum._command.terminal import CLEAR_BELOW, HIDE_CURSOR, SHOW_CURSOR, UP, Terminal
from seq2sum._errors import Seq2SumError


def run(options: argparse.Namespace) -> int:
    """Looks until it is told to end, which is no failure, or as often as was asked for."""
    terminal = Terminal.of(sys.stdout)
    history = History()
    with connected(options) as client:
        title = f"{client.model} at {client.target}, every {options.interval:g} s, Ctrl-C ends"
        try:
            if terminal.live:
                _write(HIDE_CURSOR)
            _watch(client, options, terminal, history, title)
        except KeyboardInterrupt as error:
            raise Ended(DONE) from error
        finally:
            if terminal.live:
                _write(SHOW_CURSOR)
    return FAILED if history.failed else DONE


def _watch(
    client: Client,
    options: argparse.Namespace,
    terminal: Terminal,
    history: History,
    title: str,
) -> None:
    drawn = 0
    begin = time.monotonic()
    while True:
        sight = look(client, options)
        history.add(sight)
        if terminal.live:
            lines = screen(sight, history, title, Terminal.of(sys.stdout))
            _write((UP.format(drawn) if drawn else "") + CLEAR_BELOW + "\n".join(lines) + "\n")
            drawn = len(lines)
        else:
            _write(f"{row(sight, history)}\n")
        if history.looks == options.count:
            return
        # A look that took longer than the interval is not caught up with.
        begin = max(begin + options.interval, time.monotonic())
        time.sleep(begin - time.monotonic() if begin > time.monotonic() else 0)


def look(client: Client, options: argparse.Namespace) -> Sight:
    """One look; what goes wrong is a part of it."""
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    try:
        versions = client.versions(version=options.version)
    except Seq2SumError as error:
        return Sight(now, errors=(complaint(error),))
    try:
        begin = time.perf_counter()
        answer = client.add(options.probe, **asked(options))
        seconds = time.perf_counter() - begin
    except Seq2SumError as error:
        return Sight(now, versions, errors=(complaint(error),))
    return Sight(now, versions, answer, seconds)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
