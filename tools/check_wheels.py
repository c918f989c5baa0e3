"""Resolves what users install, for every platform and Python, and prints a table of the outcomes.

    python tools/check_wheels.py

Nothing is installed or run: see docs/platforms.md for what is. Fails if a combination that
docs/platforms.md promises has no solution, or one that it excludes has one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from resolver import OLDEST_MACOS, CannotResolve, Resolver

PYTHONS = ("3.11", "3.12", "3.13")
CLIENT, SERVING, TRAINING = "./client", "./serving", "./training"
INSTALLED = {
    "client": (CLIENT,),
    "rollouts, probe": (CLIENT, SERVING),
    "server": (CLIENT, f"{SERVING}[embedded]"),
    "server, native": (CLIENT, f"{SERVING}[embedded,native]"),
    "training": (CLIENT, TRAINING),
    "make setup": (CLIENT, TRAINING, f"{SERVING}[embedded,native]"),
}
DEVELOPMENT = ("--constraint=constraints.txt", "--group=dev")
PLATFORMS = {
    "Linux x86-64": "x86_64-manylinux_2_28",
    "Linux arm64": "aarch64-manylinux_2_28",
    "macOS arm64": "aarch64-apple-darwin",
    "macOS x86-64": "x86_64-apple-darwin",
    "Linux x86-64, musl": "x86_64-unknown-linux-musl",
}
DEVELOPMENT_PLATFORMS = {
    "x86_64-manylinux_2_28": "x86_64-manylinux_2_31",
    "aarch64-manylinux_2_28": "aarch64-manylinux_2_31",
}
"""Envoy's wheels need a newer C library, and a newer macOS."""
DEVELOPMENT_MACOS = "15.0"
NO_TENSORFLOW = ("macOS x86-64", "Linux x86-64, musl")
WITHOUT_TENSORFLOW = ("client", "rollouts, probe")


def promised(platform: str, installed: str) -> bool:
    """Returns whether docs/platforms.md promises that this can be installed."""
    return platform not in NO_TENSORFLOW or installed in WITHOUT_TENSORFLOW


def obstacle(resolver: Resolver, platform: str, installed: str, python: str) -> str:
    """Returns why something cannot be installed, or an empty string."""
    development = installed == "make setup"
    if development and platform in NO_TENSORFLOW:
        return "TensorFlow has no wheel"  # uv would try all versions of the tools first
    tag = PLATFORMS[platform]
    try:
        resolver.resolve(
            INSTALLED[installed],
            *(DEVELOPMENT if development else ()),
            python=python,
            platform=DEVELOPMENT_PLATFORMS.get(tag, tag) if development else tag,
            macos=DEVELOPMENT_MACOS if development else OLDEST_MACOS,
        )
    except CannotResolve as error:
        return str(error)
    return ""


def main() -> int:
    """Prints the table; returns 1 if it is not the promised one."""
    surprises: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            resolver = Resolver(Path(folder))
        except subprocess.CalledProcessError:
            print("check-wheels: uv cannot be installed, see above", file=sys.stderr)
            return 1
        print("|", " | ".join(["", *INSTALLED]), "|")
        print("|" + "---|" * (len(INSTALLED) + 1))
        for platform in PLATFORMS:
            cells = [platform]
            for installed in INSTALLED:
                found = {v: obstacle(resolver, platform, installed, v) for v in PYTHONS}
                resolved = [version for version, problem in found.items() if not problem]
                cells.append(", ".join(resolved) or "no")
                if len(resolved) != (len(PYTHONS) if promised(platform, installed) else 0):
                    surprises += [f"{platform}: {installed}: {found}"]
            print("|", " | ".join(cells), "|", flush=True)
    print(*surprises, sep="\n", end="\n" * bool(surprises), file=sys.stderr)
    return int(bool(surprises))


if __name__ == "__main__":
    sys.exit(main())
