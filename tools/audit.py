"""Checks the locked dependencies of the images for known vulnerabilities, with pip-audit.

Run by `make audit`. pip-audit is installed into a temporary environment and queries an advisory
service on the internet. A distribution that the service does not know counts as not audited, and
not as safe.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path("serving/docker")
AUDITOR = "pip-audit==2.10.1"
SERVICES = ("osv", "pypi")
"""Queried in this order, until one knows every distribution."""
SAFE, FOUND, NOT_AUDITED = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Audit:
    """The reply of an advisory service for a lock."""

    audited: int
    """Number of distributions that it knows."""
    unknown: tuple[str, ...]
    """Distributions that it does not know, with the reason."""
    vulnerable: tuple[str, ...]
    """A line for each vulnerability."""


def read(report: dict[str, Any]) -> Audit:
    """Parses a report of pip-audit."""
    entries = report["dependencies"]
    unknown = [
        f"{each['name']}: {each['skip_reason']}" for each in entries if "skip_reason" in each
    ]
    vulnerable = [
        f"{each['name']} {each['version']}: {', '.join([found['id'], *found['aliases']])}; fixed "
        f"in {', '.join(found['fix_versions']) or 'no version yet'}"
        for each in entries
        for found in each.get("vulns", ())
    ]
    return Audit(len(entries) - len(unknown), tuple(unknown), tuple(vulnerable))


def install_auditor(folder: Path) -> Path:
    """Creates an environment with pip-audit, and returns its Python."""
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", AUDITOR], check=True)
    return python


def query(python: Path, service: str, lock: Path) -> Audit | str:
    """Returns the reply of a service for a lock, or its error message."""
    line = [python, "-m", "pip_audit", "--vulnerability-service", service, "--format", "json"]
    line += ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "-r", lock]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    try:
        return read(json.loads(done.stdout))
    except ValueError:  # then the last line of standard error is the reason
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1]


def audit(python: Path, lock: Path) -> Audit | None:
    """Returns the first complete reply; None if no service has one, which is logged."""
    for service in SERVICES:
        reply = query(python, service, lock)
        if isinstance(reply, Audit) and not reply.unknown:
            return reply
        if isinstance(reply, Audit):
            reply = f"{len(reply.unknown)} distributions are unknown, such as {reply.unknown[0]}"
        print(f"audit: {lock}: {service}: {reply}", file=sys.stderr)
    return None


def report(audits: dict[Path, Audit | None]) -> int:
    """Prints the vulnerabilities, and returns the exit code."""
    for lock, found in audits.items():
        if found is None:
            print(f"{lock}  not audited")
            continue
        count = len(found.vulnerable) or "none"
        print(f"{lock}  {found.audited} distributions, known vulnerabilities: {count}")
        for line in found.vulnerable:
            print(f"  {line}")
    if any(found and found.vulnerable for found in audits.values()):
        print("raise the versions in constraints.txt, then run make lock", file=sys.stderr)
        return FOUND
    if None in audits.values():
        print(
            "audit: no service replied completely for some locks: run it where OSV or PyPI can be "
            "reached",
            file=sys.stderr,
        )
        return NOT_AUDITED
    return SAFE


def main(arguments: Sequence[str] | None = None) -> int:
    """Audits every lock, and returns the exit code."""
    parser = ArgumentParser(prog="audit", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--if-reached", action="store_true", help="succeed if no advisory service can be reached"
    )
    options = parser.parse_args(arguments)
    code = audit_locks()
    if code == NOT_AUDITED and options.if_reached:
        print("audit: not reached: no advisory service has checked every lock, see above")
        return SAFE
    return code


def audit_locks() -> int:
    """Installs the auditor, audits every lock, and returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            python = install_auditor(Path(folder))
        except subprocess.CalledProcessError:
            print(f"audit: {AUDITOR} cannot be installed, see above", file=sys.stderr)
            return NOT_AUDITED
        return report({lock: audit(python, lock) for lock in sorted(FOLDER.glob("*.lock"))})


if __name__ == "__main__":
    sys.exit(main())
