"""Checks that every file names the same version of seq2sum, or sets a new one.

Run by `make version`. client/pyproject.toml has the version. The other distributions have the same,
and depend on the client by exactly this version; images are tagged with it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = "client/pyproject.toml"
NUMBER = r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?"
PROJECT = re.compile(rf'(?m)(?<=^version = "){NUMBER}(?=")')
"""The version of a distribution in its pyproject.toml."""
REFERENCE = re.compile(
    rf"((?:\bseq2sum==|\bseq2sum/(?:embedded|tools|training):|\bseq2sum(?:_\w+)?-))({NUMBER})(?![.\d])"
)
"""A dependency, the tag of an image, or the name of a wheel or a source archive."""
FILES = (
    "*/pyproject.toml",
    "docker-compose.yml",
    "*.md",
    "*/README.md",
    "docs/**/*.md",
    "serving/docker/*.Dockerfile",
    "serving/kubernetes/**/*.yaml",
    "serving/kubernetes/**/*.md",
    "tests/deploy/*.py",
)
"""Files that may name the version."""
CONSISTENT, DIFFERENT = 0, 1


def version(root: Path) -> str:
    """Returns the version of the client, which is that of everything else."""
    project = tomllib.loads((root / SOURCE).read_text())["project"]
    return str(project["version"])


def files(root: Path) -> list[Path]:
    """Returns the files that may name the version; a changelog names older ones too."""
    found = {path for pattern in FILES for path in root.glob(pattern)}
    return sorted(found - {root / "CHANGELOG.md"})


def differences(root: Path) -> Iterator[str]:
    """Yields a line for each other version than that of the client."""
    expected = version(root)
    for path in files(root):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = [match[2] for match in REFERENCE.finditer(line)]
            if path.name == "pyproject.toml":
                found += PROJECT.findall(line)
            for each in found:
                if each != expected:
                    yield f"{path.relative_to(root)}:{number}: {each}, expected {expected}"


def set_version(root: Path, new: str) -> list[Path]:
    """Writes a version into every file that names one, and returns the changed files."""
    changed = []
    for path in files(root):
        old = path.read_text()
        text = REFERENCE.sub(rf"\g<1>{new}", old)
        if path.name == "pyproject.toml":
            text = PROJECT.sub(new, text)
        if text != old:
            path.write_text(text)
            changed.append(path)
    return changed


def number(text: str) -> str:
    """Parses a version number."""
    if not re.fullmatch(NUMBER, text):
        raise ArgumentTypeError(
            f"invalid version {text!r}: expected a number like 0.2.0 or 1.0.0rc1"
        )
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks or sets the version, and returns the exit code."""
    parser = ArgumentParser(prog="version", description=__doc__.partition("\n")[0])
    parser.add_argument("new", nargs="?", type=number, help="the version to set")
    new = parser.parse_args(arguments).new
    if new:
        for path in set_version(ROOT, new):
            print(path.relative_to(ROOT))
    found = list(differences(ROOT))
    for line in found:
        print(f"version: {line}", file=sys.stderr)
    if found:
        print(f"version: run make version TO={version(ROOT)}", file=sys.stderr)
        return DIFFERENT
    print(f"version {version(ROOT)}")
    return CONSISTENT


if __name__ == "__main__":
    sys.exit(main())
