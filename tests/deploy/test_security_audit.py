"""`make audit`: what an advisory service says, and what its silence does not."""

from __future__ import annotations

from pathlib import Path

import audit
import pytest

SAFE = {"name": "grpcio", "version": "1.2.3", "vulns": []}
WEAK = {
    "name": "jinja2",
    "version": "3.1.2",
    "vulns": [{"id": "CVE-1", "aliases": ["GHSA-x"], "fix_versions": ["3.1.4"]}],
}
HOPELESS = {
    "name": "six",
    "version": "1.0",
    "vulns": [{"id": "CVE-2", "aliases": [], "fix_versions": []}],
}
SILENT = {"name": "rich", "skip_reason": "not found"}
LOCK = Path("a.lock")


def report(*dependencies):
    return {"dependencies": [*dependencies], "fixes": []}


@pytest.mark.parametrize(
    ("found", "code", "told"),
    [
        (report(SAFE), 0, "a.lock  1 distributions, known vulnerabilities: none\n"),
        (report(SAFE, WEAK), 1, "  jinja2 3.1.2: CVE-1, GHSA-x; fixed in 3.1.4\n"),
        (report(HOPELESS), 1, "  six 1.0: CVE-2; fixed in no version yet\n"),
        (None, 3, "a.lock  not audited\n"),
    ],
    ids=["safe", "vulnerable", "not fixed yet", "no answer"],
)
def test_the_exit_code_says_what_was_found(capsys, found, code, told):
    assert audit.verdict({LOCK: audit.read(found) if found else None}) == code
    assert told in capsys.readouterr().out


def test_a_vulnerability_counts_more_than_a_lock_that_was_not_audited(capsys):
    assert audit.verdict({LOCK: None, Path("b.lock"): audit.read(report(WEAK))}) == 1
    assert "raise the versions in constraints.txt" in capsys.readouterr().err


@pytest.fixture
def auditor(tmp_path):
    """A program in the place of pip-audit, which answers by service."""

    def made(answers):
        path = tmp_path / "auditor"
        lines = [f"*' {service} '*) {said} ;;" for service, said in answers.items()]
        path.write_text("\n".join(["#!/bin/sh", 'case " $* " in', *lines, "esac", ""]))
        path.chmod(0o755)
        return path

    return made


WHOLE = """echo '{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}'"""
PART = """echo '{"dependencies": [{"name": "a", "skip_reason": "not found"}]}'"""
DOWN = "echo 'trying'; echo 'no route to it' >&2; exit 1"


@pytest.mark.parametrize(
    ("answers", "asked", "complaints"),
    [
        ({"osv": WHOLE, "pypi": DOWN}, 1, []),
        ({"osv": DOWN, "pypi": WHOLE}, 1, ["a.lock: osv: no route to it"]),
        (
            {"osv": DOWN, "pypi": PART},
            None,
            ["a.lock: osv: no route to it", "a.lock: pypi: nothing is known there of 1, as a: not"],
        ),
    ],
    ids=["the first answers", "the second answers", "what is skipped is not safe"],
)
def test_services_are_asked_until_one_answers_for_everything(
    capsys, auditor, answers, asked, complaints
):
    found = audit.audited(auditor(answers), LOCK)
    assert (found.asked if found else None) == asked
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(complaints)
    for line, complaint in zip(told, complaints, strict=True):
        assert complaint in line
