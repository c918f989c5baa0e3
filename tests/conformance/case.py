"""The recorded cases: requests to tensorflow_model_server, and its replies."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CASES = HERE / "cases.jsonl"
FIXTURE, FIXTURE2 = HERE / "fixture", HERE / "fixture2"

Step = dict[str, Any]
"""One call or action with its recorded outcome; README.md describes the format."""

Content = str | dict[str, str]
"""A file's content: text, or `{"b64": ...}` for bytes that are not text."""

BASE_CONFIG = """
model_config_list {
  config {
    name: "fixture" base_path: "{fixture}" model_platform: "tensorflow"
    model_version_policy { specific { versions: 1 versions: 2 } }
    version_labels { key: "stable" value: 1 }
    version_labels { key: "canary" value: 2 }
    version_labels { key: "ghost" value: 5 }
  }
  config {
    name: "solo" base_path: "{fixture}" model_platform: "tensorflow"
    model_version_policy { specific { versions: 3 } }
  }
  config { name: "odd" base_path: "{fixture2}" model_platform: "tensorflow" }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """Models, files and flags of a server.

    `{dir}`, `{fixture}` and `{fixture2}` in texts stand for folders of the run.
    """

    models: dict[str, dict[str, str]]
    """Model folder to version directory to its source: a version of the fixture, or a path."""
    model_name: str
    model_base_path: str
    config: str | None
    """Text of the model config file; None: the flags of a single model."""
    flags: tuple[str, ...]
    files: dict[str, Content]
    """Further files in the case's folder, by name."""
    links: dict[str, str]
    """Symbolic links in the case's folder, name to target; made after models and files."""

    @classmethod
    def read(cls, recorded: dict[str, Any]) -> ServerSpec:
        return cls(
            models=recorded.get("models", {}),
            model_name=recorded.get("model_name", "default"),
            model_base_path=recorded.get("model_base_path", ""),
            config=recorded.get("config"),
            flags=tuple(recorded.get("flags", ())),
            files=recorded.get("files", {}),
            links=recorded.get("links", {}),
        )


BASE = ServerSpec.read(
    {
        "config": BASE_CONFIG,
        "flags": [
            "--allow_version_labels_for_unavailable_models=true",
            "--monitoring_config_file={dir}/monitoring.txt",
        ],
        "files": {"monitoring.txt": "prometheus_config { enable: true }\n"},
    }
)
"""The server shared by all cases that do not change it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded conversation."""

    group: str
    name: str
    recorded_on: str
    """The version of tensorflow_model_server that was recorded."""
    server_spec: ServerSpec | None
    """The case's own server; None: the base server."""
    steps: tuple[Step, ...]

    @property
    def id(self) -> str:
        return f"{self.group}/{self.name}"

    @property
    def wait_seconds(self) -> float:
        """The sum of its pauses, a lower bound of its duration."""
        return sum(map(wait_seconds, self.steps))

    @property
    def is_time_critical(self) -> bool:
        """Whether the server may time out merely because the machine is busy."""
        flags = self.server_spec.flags if self.server_spec else ()
        return any(re.fullmatch(r"--rest_api_timeout_in_ms=[1-9]\d*", flag) for flag in flags)

    @property
    def observes_startup(self) -> bool:
        """Whether the case itself checks if and when the ports open."""
        return self.steps[0].get("action") in ("expect_exit", "expect_no_port", "expect_port")


def wait_seconds(step: Step) -> float:
    """Returns the seconds that a step spends in pauses."""
    branches = (sum(map(wait_seconds, branch)) for branch in step.get("parallel", ()))
    pauses = (step.get(name, 0) for name in ("delay_s", "seconds", "for_s"))
    return sum(pauses) + max(branches, default=0)


def cases() -> list[Case]:
    """Returns all cases, in the order of the file."""
    with CASES.open() as lines:
        return [read(json.loads(line)) for line in lines if line.strip()]


def read(recorded: dict[str, Any]) -> Case:
    server = recorded["server"]
    return Case(
        recorded["group"],
        recorded["id"],
        recorded["recorded_on"],
        None if server["profile"] == "base" else ServerSpec.read(server),
        tuple(recorded["steps"]),
    )
