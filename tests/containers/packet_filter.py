"""The packet filter of the machine, and forwarding, as they were before an engine changed them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from containers.run import run

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
TABLES = ("filter", "nat")
"""The tables that Docker changes."""


@contextmanager
def restored(environment: Mapping[str, str]) -> Iterator[None]:
    """Restores rules and forwarding at the end of the block."""
    forwarding = FORWARDING.read_text()
    rules = {
        table: run("iptables", "-t", table, "--list-rules", environment=environment).stdout
        for table in TABLES
    }
    try:
        yield
    finally:
        for table, listed in rules.items():
            _restore(table, listed.splitlines(), environment)
        FORWARDING.write_text(forwarding)


def _restore(table: str, rules: list[str], environment: Mapping[str, str]) -> None:
    # A listing has the options that create it: policies, chains, then rules.
    for options in (["--flush"], ["--delete-chain"], *map(shlex.split, rules)):
        run("iptables", "-t", table, *options, environment=environment, check=False)
