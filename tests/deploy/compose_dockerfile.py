"""Dockerfiles as values, and what of a folder Docker would get to see."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Instruction:
    """One, with its options apart."""

    word: str
    options: tuple[str, ...]
    value: str

    @property
    def words(self) -> list[str]:
        """Those of its exec form, or of a shell."""
        return json.loads(self.value) if self.value.startswith("[") else shlex.split(self.value)


def instructions(path: Path) -> list[Instruction]:
    """All of a file, in order."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [_instruction(line) for line in whole.splitlines() if line.strip()]


def stages(path: Path) -> list[list[Instruction]]:
    """The same by stage; each begins with FROM."""
    found: list[list[Instruction]] = []
    for instruction in instructions(path):
        if instruction.word == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def _instruction(line: str) -> Instruction:
    word, rest = line.split(maxsplit=1)
    options = []
    while match := re.match(r"(--\w+=\S+)\s+", rest):
        options.append(match[1])
        rest = rest[match.end() :]
    return Instruction(word, tuple(options), rest.strip())


class Context:
    """What `.dockerignore` lets through: of the patterns that fit, the last one counts."""

    def __init__(self, ignore: Path) -> None:
        lines = (line.strip() for line in ignore.read_text().splitlines())
        self._patterns = [line for line in lines if line and not line.startswith("#")]

    def has(self, path: str) -> bool:
        """Whether a file or folder of this path is let through."""
        ignored = False
        for pattern in self._patterns:
            if _fits(path, pattern.removeprefix("!")):
                ignored = not pattern.startswith("!")
        return not ignored


def _fits(path: str, pattern: str) -> bool:
    """Whether a pattern names a path, or a folder that it is in."""
    here = PurePosixPath(path)
    names = [here, *here.parents][:-1]
    return any(
        len(PurePosixPath(pattern).parts) == len(name.parts) and fnmatchcase(str(name), pattern)
        if not pattern.startswith("**/")
        else fnmatchcase(name.name, pattern.removeprefix("**/"))
        for name in names
    )
