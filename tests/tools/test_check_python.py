"""The check of another Python: which interpreters it uses, and what it counts."""

from __future__ import annotations

import os
import shutil
import sys

import check_python
import pytest

VERSION = "{}.{}".format(*sys.version_info[:2])
SHIM = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"
OTHER = "#!/bin/sh\nexec '{}' \"$@\"\n"


@pytest.mark.parametrize(
    ("script", "version", "found"),
    [
        (OTHER.format(sys.executable), VERSION, True),
        (OTHER.format(sys.executable), "3.99", False),
        (SHIM, VERSION, False),
        (None, VERSION, False),
    ],
)
def test_only_an_interpreter_of_the_version_is_used(script, version, found, monkeypatch, tmp_path):
    path = tmp_path / f"python{version}"
    if script:
        path.write_text(script)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check_python.interpreter(version) == (str(path) if found else None)


@pytest.mark.parametrize(
    ("version", "program", "user", "reason"),
    [
        ("3.12", "/usr/bin/apt-get", 0, "no release of Debian has it (of bookworm, trixie)"),
        ("3.13", None, 0, "this is not Debian"),
        ("3.13", "/usr/bin/apt-get", 1000, "this user is not root"),
    ],
)
def test_the_obstacle_to_a_system_is_named(
    version, program, user, reason, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(shutil, "which", lambda name: program if name == "apt-get" else None)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(sys, "argv", ["check_python.py", version])
    monkeypatch.setattr(check_python.signal, "signal", lambda *_: None)
    monkeypatch.setattr(check_python.tempfile, "tempdir", str(tmp_path))
    assert check_python.main() == check_python.CANNOT_RUN
    assert f"no python{version} is on the PATH, and none can be made: {reason}" in (
        capsys.readouterr().err
    )
    assert not list(tmp_path.iterdir())


def test_tests_are_counted_by_result(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="12" failures="1" errors="0" skipped="2"/></testsuites>'
    )
    assert check_python.counted(report) == "9 passed, 1 failures, 2 skipped"
    assert check_python.counted(tmp_path / "missing.xml") == ""
