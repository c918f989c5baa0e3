"""Tests the client, rollouts and the probe with the lowest versions that their metadata allows.

    python tools/check_lowest.py [PYTHON...]

Each interpreter gets an environment in a temporary folder, without TensorFlow. Default: this one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version
from resolver import ROOT, CannotResolve, Resolver

PROJECTS = ("client", "serving")
PLATFORM = "linux" if sys.platform == "linux" else "macos"
TOOLS = ("pytest", "pytest-timeout", "hypothesis", "trustme", "dnslib", "numpy", "packaging")
TOOLS += ("opentelemetry-sdk", "pyyaml", "ml-dtypes", "argcomplete")
TESTS = ("tests/client", "tests/rollout", "tests/probe")
EXCLUDED = ("client/test_client_page", "client/test_proxies")
"""Modules that import the embedded server."""


def stated(project: str) -> list[Requirement]:
    """Returns the dependencies in the metadata of a distribution, except our own ones."""
    metadata = tomllib.loads((ROOT / project / "pyproject.toml").read_text())["project"]
    requirements = map(Requirement, metadata["dependencies"])
    return [each for each in requirements if not each.name.startswith("seq2sum")]


def lowest(requirement: Requirement) -> Version:
    """Returns the lower bound of a requirement."""
    [bound] = [each.version for each in requirement.specifier if each.operator in (">=", "==")]
    return Version(bound)


def higher(requirements: Iterable[Requirement], resolved: Mapping[str, str]) -> list[str]:
    """Returns a line for each lower bound that has no wheel, so a later version was resolved."""
    return [
        f"{each.name}: {lowest(each)} has no wheel, {resolved[each.name]} is the first that has"
        for each in requirements
        if Version(resolved[each.name]) != lowest(each)
    ]


def check(resolver: Resolver, python: str, folder: Path) -> int:
    """Tests with one interpreter; returns an exit code."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.check_output([python, "-c", code], text=True).strip()
    requirements = [each for project in PROJECTS for each in stated(project)]
    try:
        resolved = resolver.resolve(
            # Named themselves: uv chooses the lowest versions of direct requirements only.
            ["./client[otel]", "./serving", *map(str, requirements)],
            "--resolution=lowest-direct",
            python=version,
            platform=PLATFORM,
        )
    except CannotResolve as error:
        print(f"Python {version}: {error}")
        return 1
    pins = folder / f"lowest-{version}.txt"
    pins.write_text("".join(f"{name}=={found}\n" for name, found in resolved.items()))
    environment = folder / f"environment-{version}"
    subprocess.run([python, "-m", "venv", environment], check=True)
    inside = environment / "bin" / "python"
    resolver.install(inside, "./client[otel]", "./serving", *TOOLS, constraint=pins)
    names = ", ".join(f"{each.name} {resolved[each.name]}" for each in requirements)
    print(f"\nPython {version} with {names}", flush=True)
    for line in (problems := higher(requirements, resolved)):
        print(line)
    tests = (inside, "-m", "pytest", "-q", "--quick", "-p", "no:cacheprovider", *TESTS)
    tests += tuple(f"--ignore=tests/{name}.py" for name in EXCLUDED)
    done = subprocess.run(tests, cwd=ROOT, check=False)
    return int(bool(problems) or done.returncode != 0)


def main() -> int:
    """Checks every interpreter of the command line."""
    with tempfile.TemporaryDirectory(prefix="seq2sum-lowest-") as folder:
        try:
            resolver = Resolver(Path(folder))
            codes = [
                check(resolver, each, Path(folder)) for each in sys.argv[1:] or [sys.executable]
            ]
        except subprocess.CalledProcessError as error:
            print(f"check-lowest: {error}", file=sys.stderr)
            return 1
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
