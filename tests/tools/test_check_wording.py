"""The wording check reports poor phrases with their position, and nothing in plain sentences."""

from __future__ import annotations

import check_wording
import pytest

PYTHON = '''\
"""{docstring}"""


def {name}():
    # {comment}
    return "{string}"
'''
PLAIN = {
    "docstring": "Returns the version in service.",
    "name": "serving_version",
    "comment": "gRPC retries this by default",
    "string": "invalid version 'x': expected a non-negative integer",
}


@pytest.mark.parametrize(
    ("part", "text", "line"),
    [
        ("docstring", "What is served.", 1),
        ("docstring", "How the channel is made.", 1),
        ("docstring", "Whether it is no version.", 1),
        ("docstring", "Tells the caller.\n\nThe callback is told.", 3),
        ("name", "the_error_is_told", 4),
        ("name", "it_is_no_version", 4),
        ("comment", "whoever asks gets one", 5),
        ("comment", "it has a thread of its own", 5),
        ("string", "'x' is no version", 6),
        ("string", "stands beside it", 6),
    ],
)
def test_finding_has_its_position(part, text, line):
    assert check_wording.findings("a.py", PYTHON.format(**PLAIN)) == []
    found = check_wording.findings("a.py", PYTHON.format(**{**PLAIN, part: text}))
    assert [finding.line for finding in found if finding.path == "a.py"].count(line) >= 1


def test_markdown_code_is_not_prose():
    source = "The caller is told.\n\n```text\nthe caller is told\n```\n\nSee `beside`.\n"
    assert [finding.line for finding in check_wording.findings("a.md", source)] == [1]


def test_marker_allows_a_line():
    source = "# wording: ok (a message of another program)\nMESSAGE = 'the client was told'\n"
    assert check_wording.findings("a.py", source) == []
    assert check_wording.findings("a.py", source.partition("\n")[2]) != []


def test_plain_english_passes():
    plain = '"""Returns how many versions are no longer served."""\nDIFFERENT = "besides"\n'
    assert check_wording.findings("a.py", plain) == []


def test_command_exits_with_1_and_names_the_place(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(check_wording, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text("Plain.\nWhoever reads this.\n")
    assert check_wording.main(["page.md"]) == 1
    assert capsys.readouterr().out == (
        "page.md:2: 'Whoever': write the caller, the client, the user\n"
    )
    (tmp_path / "page.md").write_text("Plain.\n")
    assert check_wording.main(["page.md"]) == 0
