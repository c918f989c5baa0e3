"""What a server holds in memory: with one version, with more beside it, and in a burst."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import seq2sum
import servers
from batching_loads import request
from loads import METHOD, questions
from seq2sum import contract
from soak.vitals import MEGABYTE, PAGE

VERSIONS = 3
"""One that serves, one on trial, and one to tell the difference of a version from."""
SECONDS_TO_LOAD = 120
SETTLE = 1.0
"""Seconds without any change before memory is looked at."""
ROWS = 4096


@dataclass(frozen=True, slots=True)
class Resident:
    """Megabytes of a process in memory, with what it has mapped of files."""

    versions: int
    """Loaded at the time."""
    now: float
    own: float
    """Without what is mapped from files, which the system may drop and read again."""
    peak: float
    """The most since the look before."""


@dataclass(frozen=True, slots=True)
class Burst:
    """A number of the largest calls at once."""

    way: str
    callers: int
    peak: float
    """Megabytes of the server's memory, at the most."""
    seconds: float
    """Until the last one was answered."""
    refused: int
    """Calls that were not answered."""


class Memory:
    """What one process has in memory."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def look(self, versions: int) -> Resident:
        """The memory now, and the peak since the last look."""
        _, resident, mapped, *_ = map(int, (self._folder / "statm").read_text().split())
        peak = self.peak()
        self.forget()
        return Resident(
            versions,
            round(resident * PAGE / MEGABYTE),
            round((resident - mapped) * PAGE / MEGABYTE),
            round(peak),
        )

    def peak(self) -> float:
        """Megabytes, the most since it was forgotten (proc(5): VmHWM)."""
        lines = (self._folder / "status").read_text().splitlines()
        [line] = [line for line in lines if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024

    def forget(self) -> None:
        """The peak begins anew (proc(5): 5 into clear_refs)."""
        (self._folder / "clear_refs").write_text("5")


def by_versions(version: Path, folder: Path) -> list[Resident]:
    """A server that loads a version, and then the same one again under the next numbers."""
    base = folder / contract.MODEL_NAME
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(version, base / "1")
    server = servers.Server.launch(None, folder, config=every_version(base, folder))
    try:
        server.wait_until_open()
        memory, found = Memory(server.process.pid), []
        with seq2sum.Client(server.target) as client:
            for number in range(1, VERSIONS + 1):
                if number > 1:
                    copied = base / f"copying-{number}"
                    shutil.copytree(version, copied)
                    copied.rename(base / str(number))
                loaded(client, number)
                client.add_many([text.decode() for text in questions(ROWS, 0)], version=number)
                time.sleep(SETTLE)
                found.append(memory.look(number))
        return found
    finally:
        server.stop()


def every_version(base: Path, folder: Path) -> Path:
    """A model config file that has all versions of a base path served."""
    file = folder / "capacity-models.config"
    file.write_text(
        f'model_config_list {{ config {{ name: "{contract.MODEL_NAME}" base_path: "{base}" '
        'model_platform: "tensorflow" model_version_policy { all {} } } }\n'
    )
    return file


def loaded(client: seq2sum.Client, number: int) -> None:
    """Waits for a version."""
    deadline = time.monotonic() + SECONDS_TO_LOAD
    while time.monotonic() < deadline:
        states = {entry.version: entry.state.name for entry in client.versions()}
        if states.get(number) == "AVAILABLE":
            return
        time.sleep(0.1)
    raise AssertionError(f"version {number} is not AVAILABLE: {states}")


def bursts(
    base: Path, folder: Path, ways: dict[str, Sequence[str]], callers: Sequence[int]
) -> list[Burst]:
    """Bursts of the largest calls, each on a server of its own."""
    found = []
    for way, flags in ways.items():
        for number in callers:
            server = servers.Server.launch(base, folder, flags=flags)
            try:
                server.wait_until_open()
                asyncio.run(together(server.target, 1))  # the first run takes memory for all
                memory = Memory(server.process.pid)
                memory.forget()
                seconds, refused = asyncio.run(together(server.target, number))
                found.append(Burst(way, number, round(memory.peak()), round(seconds, 2), refused))
            finally:
                server.stop()
    return found


async def together(target: str, callers: int) -> tuple[float, int]:
    """So many calls at once: seconds until all have ended, and how many failed."""
    encoded = request(contract.MODEL_NAME, questions(ROWS, 0))
    async with grpc.aio.insecure_channel(
        target, options=[("grpc.max_receive_message_length", -1)]
    ) as channel:
        ask = channel.unary_unary(METHOD)
        began = time.perf_counter()
        replies = await asyncio.gather(
            *(ask(encoded, timeout=300) for _ in range(callers)), return_exceptions=True
        )
        failed = [reply for reply in replies if isinstance(reply, BaseException)]
        assert all(isinstance(each, grpc.aio.AioRpcError) for each in failed), failed[:1]
        return time.perf_counter() - began, len(failed)
