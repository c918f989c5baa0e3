"""Services of docker-compose.yml on this machine: their flags and files, in a folder of the test's.

Only what a container would hide is replaced: where the mounts are, and the two ports.
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
    """What the machine of a deployment has: models, configuration, certificates, servers."""

    folder: Path
    started: list[servers.Server] = field(default_factory=list)

    def __post_init__(self):
        self.models = self.folder / "models"
        self.record = self.models / "models.config"
        self.certificates = self.folder / "certs"
        self._config = self.folder / "serving" / "config"
        self.models.mkdir(parents=True)
        shutil.copytree(ROOT / "serving" / "config", self._config)
        for path in self._config.glob("*.config"):
            path.write_text(self.here(path.read_text()))

    def here(self, text: str, service: str = "serving") -> str:
        """A text in which paths of a container are those of this folder."""
        mounts = compose_file.mounts(compose_file.services()[service])
        for place in sorted(mounts, key=len, reverse=True):
            source = self.folder / mounts[place].relative_to(ROOT)
            text = (
                text.replace(f"{place}/", f"{source}/")
                if source.is_dir()
                else text.replace(place, str(source))
            )
        return text

    def publish(self, version: Path, number: int) -> None:
        """Puts a copy of a version below the model's base path."""
        shutil.copytree(version, self.models / "seq2sum" / str(number))

    def fill(self) -> subprocess.CompletedProcess[str]:
        """What the service `train` does."""
        first = self.here("/etc/seq2sum/models.config")
        return self._script("fill-models.sh", MODELS=str(self.models), FIRST=first)

    def rollout(self, *arguments: str, targets: str) -> subprocess.CompletedProcess[str]:
        """What `docker compose run rollout` does."""
        config = self.here("/models/models.config")
        return self._script("rollout.sh", *arguments, CONFIG=config, TARGETS=targets)

    def start(self, name: str) -> servers.Server:
        """A service as the file has it, on seq2sum-serve."""
        service = compose_file.services()[name]
        port, rest_port = servers.free_port(), servers.free_port()
        log = self.folder / f"{name}-{port}.log"
        own = {
            "--port=8500": f"--port={port}",
            "--rest_api_port=8501": f"--rest_api_port={rest_port}",
        }
        flags = [own.get(flag, self.here(flag, name)) for flag in compose_file.flags(service)]
        process = processes.fork_process([*processes.EMBEDDED, *flags], log)
        server = servers.Server(process, port, log, rest_port)
        self.started.append(server)
        return server.wait_until_open()

    def healthy(self, name: str, server: servers.Server) -> subprocess.CompletedProcess[str]:
        """What the health check of a service says about a server."""
        kind, *line = compose_file.services()[name]["healthcheck"]["test"]
        assert kind == "CMD"
        mapped = [self.here(word, name) for word in line]
        return subprocess.run(
            [*mapped, str(server.rest_port)], capture_output=True, text=True, check=False
        )

    def stop(self) -> None:
        for server in self.started:
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
