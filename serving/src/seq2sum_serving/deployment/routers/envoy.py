"""Envoy as the router: a file with its routes, and its report of which file is in force."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from seq2sum_serving.deployment import targets
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.replaceable_file import ReplaceableFile
from seq2sum_serving.deployment.routers import envoy_admin, envoy_file, envoy_routes
from seq2sum_serving.deployment.routers.router import Shares

POLL_SECONDS = 0.1


class EnvoyRouter:
    """Gives the candidate group real shares of all calls through Envoy, gRPC and REST.

    Args:
        path: The routes file, which serving/envoy/start.sh gives to Envoy.
        admins: The metrics listener (or admin) of every Envoy: `host:port`, several separated by
            commas, or `dns:///name:port` for every address of the name.
        timeout: Seconds until every Envoy must have the routes of a new file.

    Raises:
        UsageError: `admins` is not valid.
    """

    name = "envoy"
    can_mirror = True
    moves_traffic = True

    def __init__(self, path: Path, admins: str, timeout: float = 30.0) -> None:
        self.path = path
        self._file = ReplaceableFile(path, "the routes")
        self._admins = admins
        self._timeout = timeout
        try:
            targets.validate(admins)
        except UsageError as error:
            raise UsageError(
                f"invalid --envoy-admin {admins!r}: expected host:port of Envoy's metrics "
                "listener, several separated by commas, or dns:///name:port"
            ) from error

    def check_writable(self) -> None:
        """Checks that the file could be replaced; asks no Envoy.

        Raises:
            Refused: The file is part of a volume that cannot be changed.
            Failed: Its folder is not writable.
        """
        self._file.check_writable()

    def is_initialized(self) -> bool:
        """Returns whether the file exists."""
        return self.path.exists()

    def read(self) -> Shares:
        """Returns the shares in the file; without a file the stable group gets everything.

        Raises:
            UsageError: The file is not valid.
        """
        return read_file(self.path)[0]

    def check_in_force(self) -> None:
        """Checks that every Envoy has the routes of the file, without waiting.

        Raises:
            UsageError: The file is not valid.
            Failed: An Envoy is down, or has other routes.
        """
        problems = self._problems(read_file(self.path)[1], {})
        if problems:
            raise Failed(f"the routes {self.path} are not in force: {_join(problems)}")

    def write(self, shares: Shares) -> None:
        """Replaces the file, and returns when every Envoy has its routes.

        Calls that are in flight at that moment are answered by the group that has them.

        Raises:
            Refused: The file is part of a volume that cannot be changed.
            Failed: The file could not be written, or its routes are not in force everywhere.
        """
        version = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}-{uuid.uuid4().hex[:8]}"
        content = envoy_routes.render(shares, version)
        rejected = self._rejections()
        self._file.write(content)
        deadline = time.monotonic() + self._timeout
        while problems := self._problems(version, rejected):
            if time.monotonic() > deadline or any(each.is_final for each in problems):
                raise Failed(
                    f"{self.path} gives the candidate group {shares.candidate:g} % of the calls "
                    f"and copies of {shares.mirror:g} %, but not everywhere: {_join(problems)}"
                )
            time.sleep(POLL_SECONDS)

    def _addresses(self) -> list[str]:
        return targets.resolve(self._admins)

    def _rejections(self) -> dict[str, int]:
        """Returns how many files each Envoy has rejected, of those that answer."""
        found = {}
        try:
            for address in self._addresses():
                found[address] = envoy_admin.routes(address).rejected
        except (Failed, envoy_admin.NotAvailable):
            pass  # reported after the file is written
        return found

    def _problems(self, version: str, rejected: dict[str, int]) -> list[Problem]:
        """Returns which Envoys do not have this version of the routes, and why."""
        try:
            addresses = self._addresses()
        except Failed as error:
            return [Problem(str(error))]
        found = (_problem(address, version, rejected) for address in addresses)
        return [problem for problem in found if problem is not None]


def read_file(path: Path) -> tuple[Shares, str]:
    """Returns the shares in a routes file, and its version; the default routes if it is missing.

    Raises:
        UsageError: It cannot be read, or is not valid.
    """
    try:
        return envoy_file.parse(path.read_bytes())
    except FileNotFoundError:
        return Shares(), envoy_routes.DEFAULT_VERSION
    except OSError as error:
        raise UsageError(f"cannot read the routes {path}: {error.strerror}") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"invalid routes {path}: {error}; expected a file that seq2sum-rollout wrote: "
            "delete it to send everything to the stable group"
        ) from error


class Problem(NamedTuple):
    """A reason for which routes are not in force."""

    text: str
    is_final: bool = False
    """True if waiting does not help: an Envoy that rejected a file never accepts it."""


def _problem(address: str, version: str, rejected: dict[str, int]) -> Problem | None:
    """Returns why this Envoy does not have this version of the routes; None if it has."""
    try:
        routes = envoy_admin.routes(address)
    except envoy_admin.NotAvailable as error:
        return Problem(f"Envoy {address} does not report its routes ({error})")
    if routes.version == version:
        return None
    if routes.rejected > rejected.get(address, routes.rejected):
        return Problem(
            f"Envoy {address} rejected the file, for the reason in its log, and keeps version "
            f"{routes.version}",
            is_final=True,
        )
    return Problem(f"Envoy {address} still has version {routes.version or 'none'}")


def _join(problems: list[Problem]) -> str:
    return "; ".join(problem.text for problem in problems)
