"""Known vulnerabilities of what goes into the images: pip-audit over the locks.

Run by `make audit`. The auditor lives in an environment of its own for as long as it runs, and asks
an advisory service on the internet. A service that does not know a distribution says nothing about
it: what was not answered for counts as not audited, and never as safe.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path("serving/docker")
AUDITOR = "pip-audit==2.10.1"
SERVICES = ("osv", "pypi")
"""Asked in this order, until one answers for everything."""
SAFE, FOUND, NOT_AUDITED = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Audit:
    """What a service says of a lock."""

    asked: int
    """Distributions that it answered for."""
    unknown: tuple[str, ...]
    """Those that it says nothing about, and why."""
    vulnerable: tuple[str, ...]
    """A line for each vulnerability."""


def read(report: dict[str, Any]) -> Audit:
    """A report of pip-audit's."""
    entries = report["dependencies"]
    unknown = [
        f"{each['name']}: {each['skip_reason']}" for each in entries if "skip_reason" in each
    ]
    vulnerable = [
        f"{each['name']} {each['version']}: {', '.join([one['id'], *one['aliases']])}; fixed in "
        f"{', '.join(one['fix_versions']) or 'no version yet'}"
        for each in entries
        for one in each.get("vulns", ())
    ]
    return Audit(len(entries) - len(unknown), tuple(unknown), tuple(vulnerable))


def auditor(folder: Path) -> Path:
    """An environment with pip-audit in it; its Python."""
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", AUDITOR], check=True)
    return python


def ask(python: Path, service: str, lock: Path) -> Audit | str:
    """What a service says of a lock, or why it says nothing."""
    line = [python, "-m", "pip_audit", "--vulnerability-service", service, "--format", "json"]
    line += ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "-r", lock]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    try:
        return read(json.loads(done.stdout))
    except ValueError:  # then standard error ends with what went wrong
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1]


def audited(python: Path, lock: Path) -> Audit | None:
    """The first whole answer; None if no service gives one, which is told."""
    for service in SERVICES:
        answer = ask(python, service, lock)
        if isinstance(answer, Audit) and not answer.unknown:
            return answer
        if isinstance(answer, Audit):
            answer = f"nothing is known there of {len(answer.unknown)}, as {answer.unknown[0]}"
        print(f"audit: {lock}: {service}: {answer}", file=sys.stderr)
    return None


def verdict(audits: dict[Path, Audit | None]) -> int:
    """Tells what was found; gives back the exit code."""
    for lock, audit in audits.items():
        if audit is None:
            print(f"{lock}  not audited")
            continue
        found = len(audit.vulnerable) or "none"
        print(f"{lock}  {audit.asked} distributions, known vulnerabilities: {found}")
        for line in audit.vulnerable:
            print(f"  {line}")
    if any(audit and audit.vulnerable for audit in audits.values()):
        print("raise the versions in constraints.txt, then: make lock", file=sys.stderr)
        return FOUND
    if None in audits.values():
        print(
            "audit: no advisory service answered for every lock, so nothing is proven; run it "
            "where OSV's or PyPI's can be reached",
            file=sys.stderr,
        )
        return NOT_AUDITED
    return SAFE


def main(_: Sequence[str] | None = None) -> int:
    """Audits every lock; gives back the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            python = auditor(Path(folder))
        except subprocess.CalledProcessError:
            print(f"audit: {AUDITOR} cannot be installed: see above", file=sys.stderr)
            return NOT_AUDITED
        return verdict({lock: audited(python, lock) for lock in sorted(FOLDER.glob("*.lock"))})


if __name__ == "__main__":
    sys.exit(main())
