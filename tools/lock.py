"""What goes into the images, to the byte: exact versions with the hashes of their wheels.

Run by `make lock`, on what the images are: Linux on x86-64 with CPython 3.11. pip itself resolves
what each image's distributions need within constraints.txt, and its report becomes the lock. Our
own distributions are not in it: they are built from the tree.
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
    "embedded": ("./client", "./serving[embedded]"),
    "tools": ("./client", "./serving"),
}
"""What each image installs of ours."""
BUILD = "build"
"""The lock of what builds our distributions; it is in no image."""
PLATFORM = ("Linux", "x86_64", "CPython", "3.11")
HEADER = """\
# {what}, for CPython 3.11 on Linux x86-64.
# Made by `make lock` from constraints.txt; change that, and not this.
"""
FAILED, ELSEWHERE = 1, 2


class Unlockable(Exception):
    """Why there is no lock."""


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """One file that is installed."""

    key: str
    """The name as the index has it: letters, digits and `-`."""
    version: str
    file: str
    sha256: str

    def lines(self) -> str:
        """As a requirements file has it."""
        return f"# {self.file}\n{self.key}=={self.version} \\\n    --hash=sha256:{self.sha256}\n"


def pins(report: Mapping[str, Any]) -> list[Pin]:
    """What a report of pip's installs that is not of the tree.

    Raises:
        Unlockable: One of the files is not a wheel, or has no hash.
    """
    found = []
    for item in report["install"]:
        download, metadata = item["download_info"], item["metadata"]
        if "dir_info" in download:
            continue
        # The name alone: where the file came from is a matter of each machine.
        file = unquote(urlsplit(download["url"]).path).rpartition("/")[2]
        sha256 = download.get("archive_info", {}).get("hashes", {}).get("sha256")
        if not file.endswith(".whl") or not sha256:
            raise Unlockable(f"{file} is no wheel with a SHA-256: it cannot be locked")
        found.append(Pin(key(metadata["name"]), metadata["version"], file, sha256))
    return sorted(found)


def key(name: str) -> str:
    """A distribution's name in the one spelling that the index has for all of them."""
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def text(what: str, found: Iterable[Pin]) -> str:
    """The content of a lock."""
    return HEADER.format(what=what) + "".join(pin.lines() for pin in found)


def resolved(requirements: Sequence[str]) -> Mapping[str, Any]:
    """PIP's report on what it would install into an empty environment.

    Raises:
        Unlockable: It finds no way to.
    """
    line = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    # No wheel means that code of the package runs to install it.
    line += ["--only-binary=:all:", f"--constraint={CONSTRAINTS}", "--report=-", *requirements]
    done = subprocess.run(line, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise Unlockable(f"pip cannot resolve {' '.join(requirements)}: see above")
    report: Mapping[str, Any] = json.loads(done.stdout)
    return report


def builders() -> list[str]:
    """What our distributions are built with, as they say themselves."""
    files = (ROOT / name / "pyproject.toml" for name in DISTRIBUTIONS)
    wanted = [tomllib.loads(file.read_text())["build-system"]["requires"] for file in files]
    return sorted({requirement for each in wanted for requirement in each})


def wanted() -> dict[str, tuple[str, Sequence[str]]]:
    """What each lock is for, and what it resolves."""
    images = {
        name: (f"What the image seq2sum/{name} has besides our own", requirements)
        for name, requirements in IMAGES.items()
    }
    return {**images, BUILD: ("What builds our distributions, and is in no image", builders())}


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the locks; gives back the exit code."""
    locks = wanted()
    parser = argparse.ArgumentParser(prog="lock", description=__doc__.partition("\n")[0])
    parser.add_argument("lock", nargs="*", metavar="LOCK", help=f"(default: {' '.join(locks)})")
    chosen = parser.parse_args(arguments).lock or list(locks)
    if unknown := sorted(set(chosen) - set(locks)):
        parser.error(f"{unknown[0]} is no lock: {', '.join(locks)} are")
    python = "{}.{}".format(*sys.version_info)
    here = (platform.system(), platform.machine(), platform.python_implementation(), python)
    if here != PLATFORM:
        there, this = " ".join(PLATFORM), " ".join(here)
        print(f"lock: images are {there}, and this is {this}: run it there", file=sys.stderr)
        return ELSEWHERE
    for name in chosen:
        what, requirements = locks[name]
        try:
            found = pins(resolved(requirements))
        except Unlockable as error:
            print(f"lock: {error}", file=sys.stderr)
            return FAILED
        path = FOLDER / f"{name}.lock"
        (ROOT / path).write_text(text(what, found))
        print(f"{path}  {len(found)} distributions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
