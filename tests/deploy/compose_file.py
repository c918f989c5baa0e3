"""docker-compose.yml as values: with an empty environment, and with anchors put in place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from support.paths import ROOT

PATH = ROOT / "docker-compose.yml"
DEFAULTS = re.compile(r"\$\{\w+:-([^}]*)\}")
SERVERS = ("serving", "replica", "serving-tls", "embedded")
"""Services that answer questions; all of them read one file of record."""
STOCK = ("serving", "replica", "serving-tls")
"""Those in the stock container."""
OURS = ("train", "rollout", "probe", "embedded")
"""Services in images that are built here."""


def read() -> dict[str, Any]:
    """The whole file."""
    return yaml.safe_load(DEFAULTS.sub(r"\1", PATH.read_text()))


def services() -> dict[str, Any]:
    """Each service by its name."""
    return read()["services"]


def flags(service: dict[str, Any]) -> list[str]:
    """What a server's command line says after the program."""
    return [*service.get("entrypoint", ["the program"])[1:], *service["command"]]


def flag_values(service: dict[str, Any]) -> dict[str, str]:
    """The same by name."""
    return dict(flag.removeprefix("--").split("=", 1) for flag in flags(service))


def mounts(service: dict[str, Any]) -> dict[str, Path]:
    """Folders and files of the repository, by the place where a service finds them."""
    split = (line.split(":") for line in service.get("volumes", ()))
    return {place: ROOT / source for source, place, *_ in split if source.startswith("./")}


def on_this_machine(path: str, service: dict[str, Any]) -> Path:
    """The file that a service finds at a path."""
    for place, source in mounts(service).items():
        if path == place or path.startswith(f"{place}/"):
            return source / path.removeprefix(place).lstrip("/")
    raise AssertionError(f"nothing is mounted at {path}")


def published(service: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Address and port of the machine, and the container's port."""
    split = (line.split(":") for line in service.get("ports", ()))
    return [(address, int(outer), int(inner)) for address, outer, inner in split]
