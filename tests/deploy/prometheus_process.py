"""A real Prometheus with the files that are shipped, and its query API."""

from __future__ import annotations

import json
import math
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
from deploy.programs import Program
from support import servers

SECONDS_TO_SCRAPE = 30
"""The longest wait for a sample to appear."""

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Target:
    """A scrape target."""

    address: str
    replica: str = ""
    """The gRPC address of a server of the model. The shipped rules derive it from port 8501."""


@dataclass(frozen=True, slots=True)
class Series:
    """A series in the result of a query."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]
    """Times and values; a single one for an instant query."""

    @property
    def value(self) -> float:
        """The last value."""
        return self.points[-1][1]


class PrometheusProcess(Program):
    """Prometheus, which runs while a `with` block is open.

    Args:
        folder: For its configuration, data and log.
        targets: The scrape targets by job; other jobs have none. A job that the configuration
            does not have is a copy of `serving`.
        interval: Seconds between scrapes, and between evaluations of the rules.
    """

    def __init__(
        self, folder: Path, targets: Mapping[str, Sequence[Target]], *, interval: float
    ) -> None:
        self.interval = interval
        address = f"127.0.0.1:{servers.free_port()}"
        self.url = f"http://{address}"
        config = _adapted(folder, {"prometheus": [Target(address)], **targets}, interval)
        super().__init__(
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--log.level=warn",
            log=folder / "prometheus.log",
        )

    @property
    def is_ready(self) -> bool:
        try:
            with _direct.open(f"{self.url}/-/ready", timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False

    def query(self, expression: str) -> list[Series]:
        """Returns the result of an instant query now; AssertionError if it is invalid."""
        result = self._get("query", query=expression, time=time.time())
        if result["resultType"] == "scalar":
            return [Series({}, [_point(result["result"])])]
        return [Series(each["metric"], [_point(each["value"])]) for each in result["result"]]

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """Returns the values at the end and at whole steps before it, without NaN.

        Series without any value are omitted.
        """
        first = end - math.floor((end - start) / step) * step
        result = self._get("query_range", query=expression, start=first, end=end, step=step)
        series = [
            Series(
                each["metric"],
                [point for point in map(_point, each["values"]) if not math.isnan(point[1])],
            )
            for each in result["result"]
        ]
        return [each for each in series if each.points]

    def value(self, expression: str) -> float | None:
        """Returns the single value of an instant query; None if it has none."""
        found = self.query(expression)
        assert len(found) < 2, found
        return found[0].value if found else None

    def until(self, expression: str) -> None:
        """Waits until a query has a result."""
        deadline = time.monotonic() + SECONDS_TO_SCRAPE
        while not self.query(expression):
            assert time.monotonic() < deadline, f"no result of {expression}"
            time.sleep(self.interval / 4)

    def rules(self) -> list[dict[str, Any]]:
        """Returns every rule with the health of its last evaluation."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, endpoint: str, **fields: object) -> Any:
        body = urllib.parse.urlencode(fields).encode() or None
        try:
            with _direct.open(f"{self.url}/api/v1/{endpoint}", body, timeout=30) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{fields}: {error.read().decode()}") from error


def _adapted(folder: Path, targets: Mapping[str, Sequence[Target]], interval: float) -> Path:
    """Writes the shipped configuration and rules with other targets and intervals."""
    duration = f"{interval * 1000:.0f}ms"
    config = files.read(files.CONFIG)
    config["global"] |= dict.fromkeys(
        ("scrape_interval", "scrape_timeout", "evaluation_interval"), duration
    )
    configured = {job["job_name"] for job in config["scrape_configs"]}
    for name in targets.keys() - configured:
        config["scrape_configs"].append({**files.job("serving"), "job_name": name})
    for job in config["scrape_configs"]:
        for key in ("dns_sd_configs", "scrape_interval", "scrape_timeout"):
            job.pop(key, None)
        job["static_configs"] = [
            {"targets": [each.address], "labels": {"replica": each.replica} if each.replica else {}}
            for each in targets.get(job["job_name"], ())
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


def _point(sample: Sequence[Any]) -> tuple[float, float]:
    return float(sample[0]), float(sample[1])
