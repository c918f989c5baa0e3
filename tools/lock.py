"""Locks the dependencies of the images: exact versions with the hashes of their wheels.

Run by `make lock`, on Linux on x86-64 with CPython 3.11. pip resolves the dependencies of each
image within constraints.txt, then finds the wheels of the same versions for arm64, and its reports
become the lock. Our own distributions are not locked: they are built from the source tree.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
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
SMALLER = {"tensorflow": "tensorflow-cpu"}
"""What images have on x86-64, because they use no GPU. The wheels for arm64 never support one."""
PLATFORM = ("Linux", "x86_64", "CPython", "3.11")
ARM64 = ("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 37)))
"""Platform tags of wheels that run on arm64 with glibc 2.36, the one of Debian 12."""
HEADER = """\
# {title}, for CPython 3.11 on Linux, x86-64 and arm64.
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


def entry(x86: Pin | None, arm64: Pin | None) -> str:
    """Returns the lines of a requirements file for a version, maybe for one platform only."""
    files = sorted({pin for pin in (x86, arm64) if pin})
    only = "" if x86 and arm64 else f' ; platform_machine == "{"x86_64" if x86 else "aarch64"}"'
    comments = "".join(f"# {pin.file}\n" for pin in files)
    hashes = "".join(f" \\\n    --hash=sha256:{pin.sha256}" for pin in files)
    return f"{comments}{files[0].key}=={files[0].version}{only}{hashes}\n"


def text(title: str, x86: Iterable[Pin], arm64: Iterable[Pin]) -> str:
    """Returns the content of a lock."""
    first, second = ({pin.key: pin for pin in pins} for pins in (x86, arm64))
    entries = [entry(first.get(key), second.get(key)) for key in sorted({*first, *second})]
    return HEADER.format(title=title) + "".join(entries)


def resolved(requirements: Sequence[str], *options: str) -> Mapping[str, Any]:
    """Returns pip's report of an installation into an empty environment.

    Raises:
        CannotLock: pip cannot resolve the requirements.
    """
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    command += options
    # Without a wheel, code of the package would run during the installation.
    command += ["--only-binary=:all:", f"--constraint={CONSTRAINTS}", "--report=-", *requirements]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise CannotLock(f"pip cannot resolve {' '.join(requirements)}: see above")
    report: Mapping[str, Any] = json.loads(done.stdout)
    return report


def both_platforms(requirements: Sequence[str]) -> tuple[list[Pin], list[Pin]]:
    """Returns the wheels for x86-64, and those of the same versions for arm64.

    Raises:
        CannotLock: pip cannot resolve the requirements, or a version has no wheel for a platform.
    """
    found = pins(resolved(requirements))
    exact = [f"{pin.key}=={pin.version}" for pin in found]
    platforms = [f"--platform={tag}" for tag in ARM64]
    with tempfile.TemporaryDirectory() as folder:  # pip requires a target for other platforms
        arm64 = pins(resolved(exact, "--no-deps", f"--target={folder}", *platforms))
    smaller = [f"{SMALLER[pin.key]}=={pin.version}" for pin in found if pin.key in SMALLER]
    if smaller:
        found = [pin for pin in found if pin.key not in SMALLER]
        found += pins(resolved(smaller, "--no-deps"))
    return found, arm64


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
            found, arm64 = both_platforms(requirements)
        except CannotLock as error:
            print(f"lock: {error}", file=sys.stderr)
            return FAILED
        path = FOLDER / f"{name}.lock"
        (ROOT / path).write_text(text(title, found, arm64))
        print(f"{path}  {len(found)} distributions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
