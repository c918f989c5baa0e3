"""A Compose project in a test folder: docker-compose.yml, its files, and its containers."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Self

from containers import own_engine
from containers.engine import Engine
from containers.run import CommandFailed, step, until
from support.paths import ROOT

NAME = "seq2sum-check"
OPERATOR = (1000, 1000)
"""The default of SEQ2SUM_USER. As root, the tests give their files to this user."""
SECONDS_TO_START = 600


class Project:
    """docker-compose.yml as it is, in a folder with its own models.

    Used with `with`, it removes all containers, networks and volumes at the end.

    Args:
        engine: The container engine.
        folder: An empty folder.
        models: A filled models folder that is copied.
        variables: The content of `.env`.
    """

    def __init__(
        self, engine: Engine, folder: Path, *, models: Path | None = None, **variables: str
    ) -> None:
        self.engine, self.folder, self.models = engine, folder, folder / "models"
        shutil.copy(ROOT / "docker-compose.yml", folder)
        shutil.copytree(ROOT / "serving", folder / "serving", ignore=_not_mounted)
        shutil.copytree(models or _empty(folder), self.models, dirs_exist_ok=True)
        if os.geteuid() != 0:
            variables["SEQ2SUM_USER"] = f"{os.getuid()}:{os.getgid()}"
        values = {"RECIPE": "fast", "SEQ2SUM_CPUS": str(min(2.0, os.cpu_count() or 1))}
        if engine.owned:
            values["SEQ2SUM_NOFILE"] = str(min(65536, own_engine.max_open_files()))
        lines = [f"{name}={value}\n" for name, value in (values | variables).items()]
        (folder / ".env").write_text("".join(lines))
        self.give_to_operator()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind, *_: object) -> None:
        if kind is not None:
            print(self.logs(), flush=True)
        self.down()

    def compose(self, *arguments: object, check: bool = True, timeout: float = SECONDS_TO_START):
        """Runs `docker compose` in the folder of the project."""
        options = ("--project-name", NAME, "--project-directory", self.folder)
        file = ("--file", self.folder / "docker-compose.yml")
        line = ("compose", "--ansi=never", "--progress=plain", *options, *file, *arguments)
        return self.engine.docker(*line, check=check, timeout=timeout)

    def up(self, *services: str, profile: str = "", options: tuple[str, ...] = ()) -> None:
        """Starts services, by default all of the profile, and waits until they are healthy.

        On a busy machine a server may take longer than health checks allow, so it is waited for.
        """
        chosen = ("--profile", profile) if profile else ()
        line = (*chosen, "up", "--detach", "--wait", *options, *services)
        try:
            with step(f"up {' '.join([profile, *services, *options]).strip()}"):
                done = self.compose(*line, check=False)
                if done.returncode != 0 and "unhealthy" in done.stderr:
                    print("  unhealthy at first", flush=True)
                    until(lambda: not self._not_healthy(), what="containers are healthy")
                    self.compose(*line)
                elif done.returncode != 0:
                    raise CommandFailed(f"up: exit code {done.returncode}\n{done.stderr}")
        except AssertionError as error:
            raise CommandFailed(f"{error}\n{self.logs()}") from None

    def _not_healthy(self) -> list[str]:
        """Returns the running containers that are starting or unhealthy."""
        states = {each["Name"]: each["State"] for each in self.engine.inspect(*self.containers())}
        health = {
            name: state.get("Health", {}).get("Status", "healthy")
            for name, state in states.items()
            if state["Running"]
        }
        return [name for name, status in health.items() if status != "healthy"]

    def rollout(self, *arguments: object, check: bool = True):
        """Runs `docker compose run --rm rollout`."""
        return self.compose("run", "--rm", "--no-TTY", "rollout", *arguments, check=check)

    def down(self) -> None:
        """Removes everything that the project has in the engine."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout=5")

    def logs(self, *services: str) -> str:
        """Returns the last lines of the logs."""
        return self.compose("--profile", "*", "logs", "--tail=25", *services, check=False).stdout

    def output(self, service: str) -> str:
        """Returns everything that the only container of a service has written."""
        done = self.engine.docker("logs", self.container(service))
        return done.stdout + done.stderr

    def containers(self, service: str = "") -> list[str]:
        """Returns the names of containers, of all services or of one; stopped ones too."""
        labels = [f"label=com.docker.compose.project={NAME}"]
        labels += [f"label=com.docker.compose.service={service}"] if service else []
        filters = [f"--filter={label}" for label in labels]
        listed = self.engine.docker("ps", "--all", *filters, "--format={{.Names}}")
        return sorted(listed.stdout.split())

    def container(self, service: str) -> str:
        """Returns the name of the only container of a service."""
        [name] = self.containers(service)
        return name

    def state(self, service: str) -> dict:
        """Returns the state of the only container of a service, as `docker inspect` has it."""
        return self.engine.inspect(self.container(service))[0]

    def execute(self, container: str, script: str, *, check: bool = True) -> str:
        """Runs a shell script in a container, as the container's user; returns stripped output."""
        done = self.engine.docker("exec", container, "sh", "-c", script, check=check)
        return (done.stdout + ("" if check else done.stderr)).strip()

    def give_to_operator(self) -> None:
        """Makes the operator the owner of models and certificates."""
        if os.geteuid() == 0:
            for part in (self.models, self.folder / "certs"):
                for path in [part, *part.rglob("*")] if part.exists() else ():
                    os.chown(path, *OPERATOR)


def networks(engine: Engine) -> list[str]:
    """Returns the networks of the project in the engine."""
    return _names(engine, "network", "ls")


def volumes(engine: Engine) -> list[str]:
    """Returns the volumes of the project in the engine."""
    return _names(engine, "volume", "ls")


def _names(engine: Engine, *command: str) -> list[str]:
    label = f"--filter=label=com.docker.compose.project={NAME}"
    lines = engine.docker(*command, label, "--format={{json .}}").stdout.splitlines()
    return [json.loads(line)["Name"] for line in lines]


def _not_mounted(_folder: str, names: list[str]) -> set[str]:
    """Returns the names of files that the compose file does not mount: sources and caches."""
    return {name for name in names if name in ("src", "kubernetes") or name.endswith("__pycache__")}


def _empty(folder: Path) -> Path:
    empty = folder / "nothing"
    empty.mkdir()
    return empty
