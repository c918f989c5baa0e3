"""Parses docker-compose.yml, with the default values of its variables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from support.paths import ROOT

PATH = ROOT / "docker-compose.yml"
DEFAULTS = re.compile(r"\$\{(\w+)(:?)-([^{}]*)\}")
STOCK = ("serving", "replica", "candidate", "serving-tls")
"""Model servers in the stock container."""
SERVERS = (*STOCK, "embedded")
"""All model servers; but for `candidate`, they read the same model config file."""
OURS = ("train", "rollout", "probe", "embedded")
"""Services whose images are built from this repository."""


def read(**variables: str) -> dict[str, Any]:
    """Returns the whole file, with these variables in the environment."""

    def value(match: re.Match[str]) -> str:
        name, or_empty, default = match.groups()
        given = variables.get(name)
        return default if given is None or (or_empty and not given) else given

    text = PATH.read_text()
    while DEFAULTS.search(text):  # a default may have a variable
        text = DEFAULTS.sub(value, text)
    return yaml.safe_load(text)


def services(**variables: str) -> dict[str, Any]:
    """Returns the services by name."""
    return read(**variables)["services"]


def flags(service: dict[str, Any]) -> list[str]:
    """Returns the flags of a server."""
    return [*service.get("entrypoint", ["the program"])[1:], *service["command"]]


def flag_values(service: dict[str, Any]) -> dict[str, str]:
    """Returns the flags of a server by name."""
    return dict(flag.removeprefix("--").split("=", 1) for flag in flags(service))


def volumes(service: dict[str, Any]) -> list[str]:
    """Returns the volumes of a service, all in the short form `source:target[:ro]`."""
    return [
        each
        if isinstance(each, str)
        else f"{each['source']}:{each['target']}{':ro' if each.get('read_only') else ''}"
        for each in service.get("volumes", ())
    ]


def mounts(service: dict[str, Any]) -> dict[str, Path]:
    """Returns the mounted files and folders of the repository, by their path in the container."""
    split = (line.split(":") for line in volumes(service))
    return {target: ROOT / source for source, target, *_ in split if source.startswith("./")}


def local_path(path: str, service: dict[str, Any]) -> Path:
    """Returns the file of the repository that is mounted at a path of a container."""
    for target, source in mounts(service).items():
        if path == target or path.startswith(f"{target}/"):
            return source / path.removeprefix(target).lstrip("/")
    raise AssertionError(f"nothing is mounted at {path}")


def published(service: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Returns the host address, host port and container port of each published port."""
    split = (line.split(":") for line in service.get("ports", ()))
    return [(address, int(host), int(container)) for address, host, container in split]
