"""Builds wheels and source archives of the three distributions, and checks that they install.

Run by `make dist`, which writes to dist/. Each wheel is built from the source archive, so both are
complete. Then the client is installed alone into a new environment, and pip resolves all three
together there, without installing TensorFlow.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import version

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
DISTRIBUTIONS = ("client", "training", "serving")
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = {"seq2sum_serving": "[embedded,native]", "seq2sum": "[otel,completion]"}
"""Extras that are resolved with the wheels, by distribution."""
MEGABYTE = 1_000_000


def build(folder: Path) -> list[Path]:
    """Builds the archives of the three distributions into a folder, and returns them.

    Raises:
        CalledProcessError: A build failed.
    """
    for name in DISTRIBUTIONS:
        # No isolation: this environment has the build backend, hatchling, in a pinned version.
        line = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT / name)
        subprocess.run(
            line, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    return sorted([*folder.glob("*.whl"), *folder.glob("*.tar.gz")])


def check(archives: Sequence[Path]) -> None:
    """Checks the metadata and the readme of archives as an index does.

    Raises:
        CalledProcessError: An archive would be refused or shown without its readme.
    """
    command = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *archives]
    subprocess.run(command, check=True)


def install_client(wheel: Path, folder: Path) -> Path:
    """Installs the client alone into a new environment, tries it, and returns its Python.

    Raises:
        CalledProcessError: It cannot be installed, imported or run.
    """
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    before = size(folder)
    pip(python, "install", "--quiet", wheel)
    megabytes = (size(folder) - before) / MEGABYTE
    subprocess.run([python, "-c", "import seq2sum; seq2sum.ModelClient"], check=True)
    reply = subprocess.run(
        [folder / "bin" / "seq2sum", "--version"], check=True, capture_output=True, text=True
    )
    installed = json.loads(pip(python, "list", "--format=json"))
    names = sorted({each["name"] for each in installed} - {"pip", "setuptools"})
    print(f"client alone: {reply.stdout.strip()}, {megabytes:.0f} MB with {', '.join(names)}")
    return python


def resolve_all(python: Path, wheels: Sequence[Path]) -> None:
    """Resolves the three wheels with their extras together, in an environment with the client.

    Raises:
        CalledProcessError: Their requirements conflict.
    """
    requirements = [f"{wheel}{EXTRAS.get(wheel.name.partition('-')[0], '')}" for wheel in wheels]
    line = ("install", "--quiet", "--dry-run", "--ignore-installed", "--report=-", *requirements)
    found = [each["metadata"]["name"] for each in json.loads(pip(python, *line))["install"]]
    print(f"all three with their extras: resolved, {len(found)} distributions, none installed")


def pip(python: Path, *arguments: str | Path) -> str:
    """Runs pip within the constraints, and returns its output.

    Raises:
        CalledProcessError: pip failed.
    """
    environment = os.environ | {"PIP_CONSTRAINT": str(CONSTRAINTS)}
    line = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(line, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    return done.stdout


def size(folder: Path) -> int:
    """Returns the bytes of all files in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> int:
    """Builds, checks and installs; returns the exit code."""
    for old in [*DIST.glob("seq2sum*.whl"), *DIST.glob("seq2sum*.tar.gz")]:
        old.unlink()
    try:
        archives = build(DIST)
        for archive in archives:
            print(f"{archive.relative_to(ROOT)}  {archive.stat().st_size / 1000:,.0f} kB")
        check(archives)
        wheels = [each for each in archives if each.suffix == ".whl"]
        [client] = DIST.glob(f"seq2sum-{version.version(ROOT)}-*.whl")
        with tempfile.TemporaryDirectory() as folder:
            python = install_client(client, Path(folder))
            resolve_all(python, wheels)
    except subprocess.CalledProcessError as error:
        print(error.stdout or "", end="", file=sys.stderr)
        print(
            f"dist: {' '.join(map(str, error.cmd))}: exit code {error.returncode}, see above",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
