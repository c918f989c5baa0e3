"""The locks, and our distributions' dependencies, determined independently of tools/lock.py."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.paths import ROOT

FOLDER = ROOT / "serving" / "docker"
OURS = {"seq2sum": "client", "seq2sum-training": "training", "seq2sum-serving": "serving"}
IMAGES = {
    "training": ["seq2sum", "seq2sum-training"],
    "embedded": ["seq2sum", "seq2sum-serving[embedded,native]"],
    "tools": ["seq2sum", "seq2sum-serving"],
}
MARKERS = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.15",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""The environment markers of the images, but for the machine."""
MACHINES = ("x86_64", "aarch64")
REPLACED = {"x86_64": {"tensorflow": "tensorflow-cpu"}, "aarch64": {}}
"""Packages that images have instead of those that our distributions name."""
ENTRY = re.compile(
    r"(?P<files>(?:# \S+\.whl\n)+)(?P<name>[a-z0-9-]+)==(?P<version>\S+)"
    r"(?: ; platform_machine == \"(?P<machine>\w+)\")?"
    r"(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)


@dataclass(frozen=True)
class Locked:
    """One entry of a lock."""

    version: str
    files: tuple[str, ...]


def read(name: str, machine: str) -> dict[str, Locked]:
    """Returns the entries of a lock for a machine by name."""
    text = (FOLDER / f"{name}.lock").read_text()
    found = list(ENTRY.finditer(text))
    rest = [line for line in ENTRY.sub("", text).splitlines() if not line.startswith("#")]
    assert not rest, rest
    assert len({entry["name"] for entry in found}) == len(found)
    locked = {}
    for entry in found:
        files = entry["files"].replace("# ", "").split()
        assert entry["hashes"].count("--hash") == len(files)
        if entry["machine"] in (None, machine):
            locked[entry["name"]] = Locked(entry["version"], tuple(files))
    return locked


def constraints() -> dict[str, str]:
    """Returns the versions in constraints.txt by name."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def needed(roots: list[str], machine: str) -> set[str]:
    """Returns the names of all transitive dependencies in an image, except our own."""
    markers = {**MARKERS, "platform_machine": machine}
    todo, seen = [Requirement(root) for root in roots], set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                todo += [
                    each
                    for each in requirements(name, extra)
                    if each.marker is None or each.marker.evaluate({**markers, "extra": extra})
                ]
    replaced = REPLACED[machine]
    return {replaced.get(name, name) for name, _ in seen} - set(OURS)


def requirements(name: str, extra: str) -> list[Requirement]:
    """Returns the requirements of a distribution; of ours, those in the source tree."""
    if name not in OURS:
        return [Requirement(line) for line in metadata.requires(name) or []]
    project = tomllib.loads((ROOT / OURS[name] / "pyproject.toml").read_text())["project"]
    more = project.get("optional-dependencies", {}).get(extra, []) if extra else []
    return [Requirement(line) for line in [*project["dependencies"], *more]]


def builders() -> list[Requirement]:
    """Returns the build requirements of our distributions."""
    files = (ROOT / folder / "pyproject.toml" for folder in OURS.values())
    required = [tomllib.loads(file.read_text())["build-system"]["requires"] for file in files]
    return [Requirement(line) for each in required for line in each]
