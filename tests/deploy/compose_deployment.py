"""Services of docker-compose.yml as processes, with their own flags and files.

Only the paths of mounts and the two ports are replaced.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from deploy import compose_file
from support import processes, servers
from support.paths import BIN, ROOT

DOCKER = ROOT / "serving" / "docker"


@dataclass
class Deployment:
    """A host with models, configuration, certificates and running services."""

    folder: Path
    model: str = "seq2sum"
    """The variable MODEL."""
    running: list[servers.Server] = field(default_factory=list)

    def __post_init__(self):
        self.models = self.folder / "models"
        self.config = self.models / "models.config"
        self.certificates = self.folder / "certs"
        configuration = self.folder / "serving" / "config"
        self.models.mkdir(parents=True)
        shutil.copytree(ROOT / "serving" / "config", configuration)
        for path in configuration.glob("*.config"):
            path.write_text(self.localized(path.read_text()))

    def localized(self, text: str, service: str = "serving") -> str:
        """Returns a text with paths of this folder instead of those of a container."""
        mounts = compose_file.mounts(compose_file.services()[service])
        for target in sorted(mounts, key=len, reverse=True):
            source = self.folder / mounts[target].relative_to(ROOT)
            text = (
                text.replace(f"{target}/", f"{source}/")
                if source.is_dir()
                else text.replace(target, str(source))
            )
        return text

    def publish(self, version: Path, number: int) -> None:
        """Copies a version below the model's base path."""
        shutil.copytree(version, self.models / self.model / str(number))

    def fill(self) -> subprocess.CompletedProcess[str]:
        """Runs the script of the service `train`."""
        first = self.localized("/etc/seq2sum/models.config")
        variables = {"MODELS": str(self.models), "FIRST": first, "MODEL": self.model}
        return self._script("fill-models.sh", **variables)

    def rollout(self, *arguments: str, targets: str) -> subprocess.CompletedProcess[str]:
        """Runs the script of the service `rollout`."""
        config = self.localized("/models/models.config")
        variables = {"CONFIG": config, "TARGETS": targets, "MODEL": self.model}
        return self._script("rollout.sh", *arguments, **variables)

    def start(self, name: str) -> servers.Server:
        """Starts a model server as seq2sum-serve."""
        service = compose_file.services()[name]
        port, rest_port = servers.free_port(), servers.free_port()
        log = self.folder / f"{name}-{port}.log"
        ports = {
            "--port=8500": f"--port={port}",
            "--rest_api_port=8501": f"--rest_api_port={rest_port}",
        }
        flags = [
            ports.get(flag, self.localized(flag, name)) for flag in compose_file.flags(service)
        ]
        process = processes.fork_process([*processes.EMBEDDED, *flags], log)
        server = servers.Server(process, port, log, rest_port)
        self.running.append(server)
        return server.wait_until_open()

    def health_check(self, name: str, server: servers.Server) -> subprocess.CompletedProcess[str]:
        """Runs the health check of a service."""
        kind, *line = compose_file.services()[name]["healthcheck"]["test"]
        assert kind == "CMD"
        local = [self.localized(word, name) for word in line]
        base = self.localized(f"/models/{self.model}", name)  # the default of the script
        return subprocess.run(
            [*local, str(server.rest_port)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"MODEL": self.model, "MODEL_BASE_PATH": base},
        )

    def stop(self) -> None:
        """Stops all servers."""
        for server in self.running:
            server.stop()

    def _script(self, name: str, *arguments: str, **variables: str):
        path = f"{BIN}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", DOCKER / name, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PATH": path} | variables,
        )
