"""Locks the dependencies of the images: exact versions with the hashes of their wheels.

Run by `make lock`, on the platform of the images: Linux on x86-64 with CPython 3.11. pip resolves
the dependencies of each image within constraints.txt, and its report becomes the lock. Our own
distributions are not locked: they are built from the source tree.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parent.parent
FOLDER = Path("serving/docker")
CONSTRAINTS = Path("constraints.txt")
DISTRIBUTIONS = ("client", "training", "serving")
IMAGES = {
    "training": ("./client", "./training"),
    "embedded": ("./client", "./serving[embedded,native]"),
    "tools": ("./client", "./serving"),
}
"""Our distributions in each image."""
BUILD = "build"
"""The lock of the build tools of our distributions, which are in no image."""
PLATFORM = ("Linux", "x86_64", "CPython", "3.11")
HEADER = """\
# {title}, for CPython 3.11 on Linux x86-64.
# Written by `make lock` from constraints.txt: do not edit.
"""
FAILED, WRONG_PLATFORM = 1, 2


class CannotLock(Exception):
    """The dependencies cannot be resolved or locked."""


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """A wheel with its hash."""

    key: str
    """The normalized name of the distribution."""
    version: str
    file: str
    sha256: str

    def lines(self) -> str:
        """Returns the lines of a requirements file."""
        return f"# {self.file}\n{self.key}=={self.version} \\\n    --hash=sha256:{self.sha256}\n"


def pins(report: Mapping[str, Any]) -> list[Pin]:
    """Returns the wheels in an installation report of pip, except our own distributions.

    Raises:
        CannotLock: A file is not a wheel or has no hash.
    """
    found = []
    for item in report["install"]:
        download, metadata = item["download_info"], item["metadata"]
        if "dir_info" in download:
            continue
        # Without the URL, which depends on the machine.
        file = unquote(urlsplit(download["url"]).path).rpartition("/")[2]
        sha256 = download.get("archive_info", {}).get("hashes", {}).get("sha256")
        if not file.endswith(".whl") or not sha256:
            raise CannotLock(f"cannot lock {file}: expected a wheel with a SHA-256 hash")
        found.append(Pin(key(metadata["name"]), metadata["version"], file, sha256))
    return sorted(found)


def key(name: str) -> str:
    """Returns the normalized name of a distribution."""
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def text(title: str, found: Iterable[Pin]) -> str:
    """Returns the content of a lock."""
    return HEADER.format(title=title) + "".join(pin.lines() for pin in found)


def resolved(requirements: Sequence[str]) -> Mapping[str, Any]:
    """Returns pip's report of an installation into an empty environment.

    Raises:
        CannotLock: pip cannot resolve the requirements.
    """
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    # Without a wheel, code of the package would run during the installation.
    command += ["--only-binary=:all:", f"--constraint={CONSTRAINTS}", "--report=-", *requirements]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise CannotLock(f"pip cannot resolve {' '.join(requirements)}: see above")
    report: Mapping[str, Any] = json.loads(done.stdout)
    return report


def builders() -> list[str]:
    """Returns the build requirements of our distributions."""
    files = (ROOT / name / "pyproject.toml" for name in DISTRIBUTIONS)
    required = [tomllib.loads(file.read_text())["build-system"]["requires"] for file in files]
    return sorted({requirement for each in required for requirement in each})


def locks() -> dict[str, tuple[str, Sequence[str]]]:
    """Returns the title and the requirements of each lock."""
    images = {
        name: (f"Dependencies of the image seq2sum/{name}", requirements)
        for name, requirements in IMAGES.items()
    }
    return {**images, BUILD: ("Build requirements of our distributions", builders())}


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the locks, and returns the exit code."""
    known = locks()
    parser = argparse.ArgumentParser(prog="lock", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "lock", nargs="*", metavar="LOCK", help=f"locks to write (default: {' '.join(known)})"
    )
    chosen = parser.parse_args(arguments).lock or list(known)
    if unknown := sorted(set(chosen) - set(known)):
        parser.error(f"unknown lock {unknown[0]!r}: expected one of {', '.join(known)}")
    python = "{}.{}".format(*sys.version_info)
    this = (platform.system(), platform.machine(), platform.python_implementation(), python)
    if this != PLATFORM:
        print(
            f"lock: the images need {' '.join(PLATFORM)}, and this is {' '.join(this)}: run it on "
            "that platform",
            file=sys.stderr,
        )
        return WRONG_PLATFORM
    for name in chosen:
        title, requirements = known[name]
        try:
            found = pins(resolved(requirements))
        except CannotLock as error:
            print(f"lock: {error}", file=sys.stderr)
            return FAILED
        path = FOLDER / f"{name}.lock"
        (ROOT / path).write_text(text(title, found))
        print(f"{path}  {len(found)} distributions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
