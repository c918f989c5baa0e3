"""Parses Dockerfiles, and determines which files `.dockerignore` leaves in the build context."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Instruction:
    """An instruction, such as RUN or COPY."""

    name: str
    options: tuple[str, ...]
    """Options such as `--from=build`."""
    value: str

    @property
    def words(self) -> list[str]:
        """The words of the exec form or of the shell form."""
        return json.loads(self.value) if self.value.startswith("[") else shlex.split(self.value)


def stages(path: Path) -> list[list[Instruction]]:
    """Returns the instructions of each stage; the first one is FROM."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found: list[list[Instruction]] = []
    for instruction in (_instruction(line) for line in joined.splitlines() if line.strip()):
        if instruction.name == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def _instruction(line: str) -> Instruction:
    name, rest = line.split(maxsplit=1)
    options = []
    while match := re.match(r"(--\w+=\S+)\s+", rest):
        options.append(match[1])
        rest = rest[match.end() :]
    return Instruction(name, tuple(options), rest.strip())


class Context:
    """Paths in a build context. The last pattern of `.dockerignore` that matches one decides."""

    def __init__(self, ignore: Path) -> None:
        lines = (line.strip() for line in ignore.read_text().splitlines())
        self._patterns = [line for line in lines if line and not line.startswith("#")]

    def __contains__(self, path: str) -> bool:
        ignored = False
        for pattern in self._patterns:
            if _matches(path, pattern.removeprefix("!")):
                ignored = not pattern.startswith("!")
        return not ignored


def _matches(path: str, pattern: str) -> bool:
    """Returns whether a pattern matches a path or one of its parents."""
    parents = [PurePosixPath(path), *PurePosixPath(path).parents][:-1]
    return any(
        len(PurePosixPath(pattern).parts) == len(parent.parts) and fnmatchcase(str(parent), pattern)
        if not pattern.startswith("**/")
        else fnmatchcase(parent.name, pattern.removeprefix("**/"))
        for parent in parents
    )
