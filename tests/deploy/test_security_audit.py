"""`make audit`: vulnerabilities, and distributions that no advisory service knows."""

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
LOCK = Path("a.lock")


def report(*dependencies):
    return {"dependencies": [*dependencies], "fixes": []}


@pytest.mark.parametrize(
    ("reply", "code", "line"),
    [
        (report(SAFE), 0, "a.lock  1 distributions, known vulnerabilities: none\n"),
        (report(SAFE, WEAK), 1, "  jinja2 3.1.2: CVE-1, GHSA-x; fixed in 3.1.4\n"),
        (report(HOPELESS), 1, "  six 1.0: CVE-2; fixed in no version yet\n"),
        (None, 3, "a.lock  not audited\n"),
    ],
    ids=["safe", "vulnerable", "not fixed yet", "no reply"],
)
def test_exit_code_and_report_of_a_lock(capsys, reply, code, line):
    assert audit.report({LOCK: audit.read(reply) if reply else None}) == code
    assert line in capsys.readouterr().out


def test_a_vulnerability_takes_precedence_over_a_lock_without_a_reply(capsys):
    assert audit.report({LOCK: None, Path("b.lock"): audit.read(report(WEAK))}) == 1
    assert "raise the versions in constraints.txt" in capsys.readouterr().err


@pytest.fixture
def auditor(tmp_path):
    """Creates a program that replaces pip-audit, with a reply for each service."""

    def create(replies):
        path = tmp_path / "auditor"
        lines = [f"*' {service} '*) {reply} ;;" for service, reply in replies.items()]
        path.write_text("\n".join(["#!/bin/sh", 'case " $* " in', *lines, "esac", ""]))
        path.chmod(0o755)
        return path

    return create


WHOLE = """echo '{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}'"""
PART = """echo '{"dependencies": [{"name": "a", "skip_reason": "not found"}]}'"""
DOWN = "echo 'trying'; echo 'no route to it' >&2; exit 1"


@pytest.mark.parametrize(
    ("replies", "audited", "errors"),
    [
        ({"osv": WHOLE, "pypi": DOWN}, 1, []),
        ({"osv": DOWN, "pypi": WHOLE}, 1, ["a.lock: osv: no route to it"]),
        (
            {"osv": DOWN, "pypi": PART},
            None,
            [
                "a.lock: osv: no route to it",
                "a.lock: pypi: 1 distributions are unknown, such as a: not",
            ],
        ),
    ],
    ids=["the first replies", "the second replies", "a skipped distribution is not safe"],
)
def test_services_are_queried_until_one_knows_every_distribution(
    capsys, auditor, replies, audited, errors
):
    found = audit.audit(auditor(replies), LOCK)
    assert (found.audited if found else None) == audited
    for line, error in zip(capsys.readouterr().err.splitlines(), errors, strict=True):
        assert error in line


@pytest.mark.parametrize(
    ("options", "found", "code", "printed"),
    [
        ([], audit.NOT_AUDITED, 3, ""),
        (["--if-reached"], audit.NOT_AUDITED, 0, "audit: not reached: no advisory service"),
        (["--if-reached"], audit.FOUND, 1, ""),
        (["--if-reached"], audit.SAFE, 0, ""),
    ],
)
def test_only_an_unreachable_service_is_forgiven(
    monkeypatch, capsys, options, found, code, printed
):
    monkeypatch.setattr(audit, "audit_locks", lambda: found)
    assert audit.main(options) == code
    out = capsys.readouterr().out
    assert out.startswith(printed)
    assert bool(out) == bool(printed)
