"""Runs tests and a short demo on another release of Python, in a temporary folder.

    python tools/check_python.py 3.13

Uses that Python if it is on the PATH; otherwise a minimal Debian that has it, in a chroot.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from containers import base_image, debian_packages
from containers.run import CommandFailed

ROOT = Path(__file__).parent.parent
RELEASES = {"3.11": "bookworm", "3.13": "trixie"}
"""Releases of Debian by their Python."""
PACKAGES = ("ca-certificates", "git", "make", "python3", "python3-venv")
TESTED = ("tests/client", "tests/training", "tests/embedded")
"""Where tests run that need TensorFlow or servers."""
NETWORK = ("/etc/resolv.conf", "/etc/hosts")
CHROOT = """
mount --rbind /dev "$0/dev"
mount --rbind /sys "$0/sys"
mount -t proc proc "$0/proc"
exec chroot "$0" env --ignore-environment --chdir=/seq2sum \\
    HOME=/root LANG=C.UTF-8 PATH=/usr/bin:/usr/sbin "$@"
"""
"""Its mounts end with its namespace, so removing the folder cannot reach this machine's devices."""
UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", CHROOT)
CANNOT_RUN = 3


class CannotRun(Exception):
    """This machine has no such Python, and cannot make a system with it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the check."""

    name: str
    line: tuple[str, ...]
    report: str = ""
    """The file to which pytest writes its results."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a step."""

    step: Step
    code: int
    minutes: float
    tests: str
    """Numbers of tests by result."""

    def __str__(self) -> str:
        result = self.tests or ("done" if self.code == 0 else f"failed, exit code {self.code}")
        return f"  {self.step.name:28} {self.minutes:5.1f} min  {result}"


def steps(python: str) -> list[Step]:
    """Returns the steps for an interpreter, in their order."""
    pytest = (".venv/bin/python", "-m", "pytest", "-q")
    expression = "(tensorflow or server or slow) and not (system or end_to_end)"
    return [
        Step("make setup", ("make", "setup", f"PYTHON={python}")),
        Step(
            "tests, quick",
            (*pytest, "--quick", "--numprocesses=2", "--dist=worksteal", "--junitxml=quick.xml"),
            "quick.xml",
        ),
        Step(
            "tests, TensorFlow and servers",
            (*pytest, "-m", expression, "--junitxml=servers.xml", *TESTED),
            "servers.xml",
        ),
        Step("demo with recipe fast", (".venv/bin/python", "tools/demo.py", "fast")),
    ]


def counted(report: Path) -> str:
    """Returns the numbers of tests in a report of pytest, empty if there is none."""
    if not report.is_file():
        return ""
    suites = list(ET.parse(report).iter("testsuite"))
    numbers = {
        name: sum(int(suite.get(name, 0)) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    }
    passed = numbers.pop("tests") - sum(numbers.values())
    found = [f"{numbers[name]} {name}" for name in numbers if numbers[name]]
    return ", ".join([f"{passed} passed", *found])


def interpreter(version: str) -> str | None:
    """Returns the Python on the PATH with this version that can make environments, or None."""
    found = shutil.which(f"python{version}")
    if not found:
        return None
    # It may be a shim of pyenv, which fails for versions that are not selected.
    code = f"import ensurepip, sys; sys.exit('%d.%d' % sys.version_info[:2] != {version!r})"
    done = subprocess.run([found, "-c", code], capture_output=True, check=False)
    return found if done.returncode == 0 else None


@contextmanager
def system(version: str, folder: Path) -> Iterator[tuple[str, tuple[str, ...], Path]]:
    """Yields an interpreter, the prefix of commands that run with it, and their work folder.

    Raises:
        CannotRun: There is neither an interpreter nor a way to get one.
    """
    if found := interpreter(version):
        print(f"Python {version}: {found}", flush=True)
        yield found, (), folder / "seq2sum"
        return
    if reason := obstacle(version):
        raise CannotRun(f"no python{version} is on the PATH, and none can be made: {reason}")
    if not shutil.which("mmdebstrap"):
        programs = debian_packages.missing(folder / "programs", "mmdebstrap")
        os.environ["PATH"] += f":{programs}/usr/bin"
    release, root = RELEASES[version], folder / "root"
    print(f"Python {version}: making a system with Debian {release}", flush=True)
    debian_packages.make_system(release, root, *PACKAGES)
    for file in NETWORK:
        shutil.copy(file, root / file.lstrip("/"))
    options = base_image.pip_configuration(base_image.pip_options())
    (root / "etc" / "pip.conf").write_text(options)
    certificates = root / base_image.CERTIFICATES.lstrip("/")
    certificates.write_bytes(base_image.trusted_certificates())
    yield f"python{version}", (*UNSHARE, str(root)), root / "seq2sum"


def obstacle(version: str) -> str:
    """Returns the reason why no Debian system can be made here, or an empty string."""
    if version not in RELEASES:
        return f"no release of Debian has it (of {', '.join(RELEASES.values())})"
    if not shutil.which("apt-get"):
        return "this is not Debian, whose packages are needed"
    if os.geteuid() != 0:
        return "this user is not root, as mounts in a chroot need"
    return ""


def copy_sources(target: Path) -> None:
    """Copies the files of the repository that git tracks, or would track."""
    line = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if os.path.lexists(ROOT / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)


def check(version: str, folder: Path) -> int:
    """Runs all steps; returns the exit code."""
    with system(version, folder) as (python, prefix, work):
        copy_sources(work)
        outcomes: list[Outcome] = []
        for step in steps(python):
            outcomes.append(run(step, prefix, work))
            if len(outcomes) == 1 and outcomes[0].code:
                break  # without an environment nothing else can run
    print(f"\nOn Python {version}:")
    print(*outcomes, sep="\n", flush=True)
    return int(any(outcome.code for outcome in outcomes))


def run(step: Step, prefix: Sequence[str], work: Path) -> Outcome:
    """Runs a step, with its output."""
    print(f"\n$ {' '.join(step.line)}", flush=True)
    start = time.monotonic()
    code = subprocess.run([*prefix, *step.line], cwd=work, check=False).returncode
    tests = counted(work / step.report) if step.report else ""
    return Outcome(step, code, (time.monotonic() - start) / 60, tests)


def main() -> int:
    """Checks the release of Python that the command line names."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # removes the folder
    with tempfile.TemporaryDirectory(prefix="seq2sum-python-") as folder:
        try:
            return check(sys.argv[1], Path(folder))
        except (CannotRun, CommandFailed) as error:
            print(f"check-python: {error}", file=sys.stderr)
            return CANNOT_RUN


if __name__ == "__main__":
    sys.exit(main())
