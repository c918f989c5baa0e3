"""`make version`: one version in every file, and a new one in all of them."""

from __future__ import annotations

import pytest
import version

FILES = {
    "client/pyproject.toml": '[project]\nname = "seq2sum"\nversion = "0.1.0"\n',
    "serving/pyproject.toml": '[project]\nversion = "0.1.0"\ndependencies = ["seq2sum==0.1.0"]\n',
    "docker-compose.yml": "image: seq2sum/tools:0.1.0\nimage: envoyproxy/envoy:v1.40.0\n",
    "docs/install.md": "pip install dist/seq2sum_serving-0.1.0-py3-none-any.whl numpy==0.1.0\n",
    "CHANGELOG.md": "seq2sum==0.0.9\n",
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with a few files that name the version, and other numbers."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(version, "ROOT", tmp_path)
    return tmp_path


def test_the_repository_names_one_version(capsys):
    assert version.main([]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "old", "new", "error"),
    [
        (
            "client/pyproject.toml",
            '"0.1.0"',
            '"0.2.0"',
            "serving/pyproject.toml:2: 0.1.0, expected 0.2.0",
        ),
        (
            "serving/pyproject.toml",
            "==0.1.0",
            "==0.2.0",
            "serving/pyproject.toml:3: 0.2.0, expected 0.1.0",
        ),
        (
            "docker-compose.yml",
            "0.1.0",
            "0.1.0rc1",
            "docker-compose.yml:1: 0.1.0rc1, expected 0.1.0",
        ),
        (
            "docs/install.md",
            "serving-0.1.0",
            "serving-0.1.1",
            "docs/install.md:1: 0.1.1, expected 0.1.0",
        ),
    ],
)
def test_different_version_is_reported_with_its_position(root, capsys, name, old, new, error):
    path = root / name
    path.write_text(path.read_text().replace(old, new))
    assert version.main([]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert f"version: {error}" in lines
    assert lines[-1] == f"version: run make version TO={version.version(root)}"


def test_a_new_version_is_set_everywhere(root, capsys):
    assert version.main(["1.2.0rc1"]) == 0
    assert capsys.readouterr().out.endswith("version 1.2.0rc1\n")
    for name, text in FILES.items():
        expected = text.replace("0.1.0", "1.2.0rc1").replace("numpy==1.2.0rc1", "numpy==0.1.0")
        assert (root / name).read_text() == expected


def test_an_invalid_version_is_refused(root, capsys):
    with pytest.raises(SystemExit):
        version.main(["v2"])
    assert "invalid version 'v2': expected a number like" in capsys.readouterr().err
    assert (root / "docker-compose.yml").read_text() == FILES["docker-compose.yml"]
