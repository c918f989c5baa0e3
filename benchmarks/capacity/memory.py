"""Memory of a server by the number of loaded versions, and in a burst of large calls."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import seq2sum
from seq2sum.addition import contract
from support import servers

from benchmarks.load.requests import METHOD, UNLIMITED, encode, questions
from benchmarks.support.process_stats import memory_megabytes, peak_megabytes, reset_peak

VERSIONS = 3
"""Versions that a rollout has loaded: stable, previous and canary."""
SECONDS_TO_LOAD = 120
SETTLE_SECONDS = 1.0
"""Time without any change before memory is sampled."""
ROWS = 4096


@dataclass(frozen=True, slots=True)
class Resident:
    """Resident memory of a process in megabytes."""

    versions: int
    """Loaded versions."""
    now: float
    """All resident memory."""
    anonymous: float
    """Without file-mapped pages, which the kernel may drop and read again."""
    peak: float
    """Peak since the previous sample."""


@dataclass(frozen=True, slots=True)
class Burst:
    """A number of the largest calls, sent at the same time."""

    batching: str
    """Whether batching was on or off."""
    callers: int
    peak: float
    """Peak resident memory of the server in megabytes."""
    seconds: float
    """Time until the last call ended."""
    failed: int
    """Calls that failed."""


def sample(pid: int, versions: int) -> Resident:
    """Samples memory and resets the peak."""
    resident, mapped = memory_megabytes(pid)
    found = Resident(
        versions, round(resident), round(resident - mapped), round(peak_megabytes(pid))
    )
    reset_peak(pid)
    return found


def by_versions(version: Path, folder: Path) -> list[Resident]:
    """Samples a server with one version, and after each further copy of it."""
    base = folder / contract.MODEL_NAME
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(version, base / "1")
    server = servers.Server.launch(None, folder, config=config_of_all_versions(base, folder))
    try:
        server.wait_until_open()
        found = []
        with seq2sum.Client(server.target) as client:
            for number in range(1, VERSIONS + 1):
                if number > 1:
                    copied = base / f"copying-{number}"
                    shutil.copytree(version, copied)
                    copied.rename(base / str(number))
                wait_for_version(client, number)
                client.add_many([text.decode() for text in questions(ROWS, 0)], version=number)
                time.sleep(SETTLE_SECONDS)
                found.append(sample(server.process.pid, number))
        return found
    finally:
        server.stop()


def config_of_all_versions(base: Path, folder: Path) -> Path:
    """Writes a model config file that serves all versions of a base path."""
    file = folder / "capacity-models.config"
    file.write_text(
        f'model_config_list {{ config {{ name: "{contract.MODEL_NAME}" base_path: "{base}" '
        'model_platform: "tensorflow" model_version_policy { all {} } } }\n'
    )
    return file


def wait_for_version(client: seq2sum.Client, number: int) -> None:
    """Waits until a version is AVAILABLE."""
    deadline = time.monotonic() + SECONDS_TO_LOAD
    while time.monotonic() < deadline:
        states = {entry.version: entry.state.name for entry in client.versions()}
        if states.get(number) == "AVAILABLE":
            return
        time.sleep(0.1)
    raise AssertionError(f"version {number} is not AVAILABLE: {states}")


def bursts(
    base: Path, folder: Path, variants: dict[str, Sequence[str]], callers: Sequence[int]
) -> list[Burst]:
    """Measures bursts of the largest calls, each on a new server."""
    found = []
    for variant, flags in variants.items():
        for count in callers:
            server = servers.Server.launch(base, folder, flags=flags)
            try:
                server.wait_until_open()
                asyncio.run(send_burst(server.target, 1))  # the first call allocates more
                reset_peak(server.process.pid)
                seconds, failed = asyncio.run(send_burst(server.target, count))
                peak = round(peak_megabytes(server.process.pid))
                found.append(Burst(variant, count, peak, round(seconds, 2), failed))
            finally:
                server.stop()
    return found


async def send_burst(target: str, callers: int) -> tuple[float, int]:
    """Sends calls at the same time; returns seconds until all ended, and how many failed."""
    encoded = encode(contract.MODEL_NAME, questions(ROWS, 0))
    async with grpc.aio.insecure_channel(target, options=UNLIMITED) as channel:
        call = channel.unary_unary(METHOD)
        start = time.perf_counter()
        replies = await asyncio.gather(
            *(call(encoded, timeout=300) for _ in range(callers)), return_exceptions=True
        )
        failed = [reply for reply in replies if isinstance(reply, BaseException)]
        assert all(isinstance(each, grpc.aio.AioRpcError) for each in failed), failed[:1]
        return time.perf_counter() - start, len(failed)
