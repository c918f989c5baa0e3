"""A real Prometheus with the files that are shipped, on a free port; and what it answers."""

from __future__ import annotations

import json
import math
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from deploy import monitoring_files as files
from support import servers

SECONDS_TO_START = 30
SECONDS_TO_STOP = 20
SECONDS_TO_SEE = 30
"""Until it has scraped what is there by now."""

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Target:
    """A page to scrape."""

    address: str
    replica: str = ""
    """The gRPC address of a server of the model. Shipped rules make it of the port 8501."""


@dataclass(frozen=True, slots=True)
class Series:
    """What a query gave."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]
    """Time and value; an instant query gives one."""

    @property
    def value(self) -> float:
        """The last one."""
        return self.points[-1][1]


class PrometheusProcess:
    """Started by `with`; answers then, and ended after.

    Args:
        folder: For configuration, data and log.
        targets: What is scraped, by job; jobs that are not named find nothing.
        every: Seconds between two scrapes, and between two evaluations of the rules.
    """

    def __init__(
        self, folder: Path, targets: Mapping[str, Sequence[Target]], *, every: float
    ) -> None:
        self.every = every
        self.url = f"http://127.0.0.1:{servers.free_port()}"
        self._folder = folder
        own = {"prometheus": [Target(self.url.removeprefix("http://"))]}
        self._config = adapted(folder, {**own, **targets}, every)
        self.log = folder / "prometheus.log"

    def __enter__(self) -> PrometheusProcess:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._config}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                    "--log.level=warn",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Prometheus did not start:\n{self.log.read_text()}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def now(self, query: str) -> list[Series]:
        """What an instant query gives; AssertionError if it is refused."""
        return self.at(query, time.time())

    def at(self, query: str, moment: float) -> list[Series]:
        """The same for a moment, in seconds since 1970."""
        found = self._asked("query", query=query, time=moment)
        if found["resultType"] == "scalar":
            return [Series({}, [_point(found["result"])])]
        return [Series(one["metric"], [_point(one["value"])]) for one in found["result"]]

    def over(self, query: str, start: float, end: float, step: float) -> list[Series]:
        """What it gives at the end of a time and at whole steps before, without NaN.

        Series without any value are left out.
        """
        first = first_step(start, end, step)
        found = self._asked("query_range", query=query, start=first, end=end, step=step)
        series = [
            Series(one["metric"], [point for point in map(_point, one["values"]) if _is(point)])
            for one in found["result"]
        ]
        return [one for one in series if one.points]

    def value(self, query: str) -> float | None:
        """The one number of an instant query; None if there is none."""
        found = self.now(query)
        assert len(found) < 2, found
        return found[0].value if found else None

    def until(self, query: str, seconds: float = SECONDS_TO_SEE) -> list[Series]:
        """Waits until a query gives something; that."""
        deadline = time.monotonic() + seconds
        while not (found := self.now(query)):
            assert time.monotonic() < deadline, f"Prometheus never saw {query}"
            time.sleep(self.every / 4)
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its health, as it was last evaluated."""
        return [rule for group in self._asked("rules")["groups"] for rule in group["rules"]]

    def _asked(self, endpoint: str, **fields: object) -> Any:
        body = urllib.parse.urlencode(fields).encode() or None
        try:
            with _direct.open(f"{self.url}/api/v1/{endpoint}", body, timeout=30) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{fields}: {error.read().decode()}") from error

    def _ready(self) -> bool:
        try:
            with _direct.open(f"{self.url}/-/ready", timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False


def first_step(start: float, end: float, step: float) -> float:
    """The earliest moment of a time that lies whole steps before its end."""
    return end - math.floor((end - start) / step) * step


def adapted(folder: Path, targets: Mapping[str, Sequence[Target]], every: float) -> Path:
    """The shipped configuration and rules with other targets and intervals, and nothing else."""
    pace = f"{every * 1000:.0f}ms"
    config = files.read(files.CONFIG)
    config["global"] |= {"scrape_interval": pace, "scrape_timeout": pace}
    config["global"]["evaluation_interval"] = pace
    for job in config["scrape_configs"]:
        for own in ("dns_sd_configs", "scrape_interval", "scrape_timeout"):
            job.pop(own, None)
        job["static_configs"] = [
            {"targets": [one.address], "labels": {"replica": one.replica} if one.replica else {}}
            for one in targets.get(job["job_name"], ())
        ]
    rules = folder / "rules"
    rules.mkdir()
    for path in files.RULES:
        shipped = files.read(path)
        for group in shipped["groups"]:
            group.pop("interval", None)
        (rules / path.name).write_text(yaml.safe_dump(shipped))
    written = folder / "prometheus.yml"
    written.write_text(yaml.safe_dump(config))
    return written


def _point(told: Sequence[Any]) -> tuple[float, float]:
    return float(told[0]), float(told[1])


def _is(point: tuple[float, float]) -> bool:
    return not math.isnan(point[1])
