"""Locks of the images: they are what constraints.txt says, all that is needed, and no more."""

from __future__ import annotations

import platform

import lock as tool
import pytest
from deploy import lock_files
from packaging.utils import canonicalize_name, parse_wheel_filename

IMAGES = sorted(lock_files.IMAGES)
LOCKS = [*IMAGES, "build"]
GLIBC = 36
"""Of Debian 12, which the images are: 2.36."""
FITTING = {
    f"{python}-{abi}-{where}"
    for python, abi in [
        *(("cp311", abi) for abi in ("cp311", "abi3", "none")),
        *((f"cp3{minor}", "abi3") for minor in range(2, 12)),
        *((python, "none") for python in ("py3", "py2", "py311")),
    ]
    for where in [
        "any",
        "manylinux1_x86_64",
        "manylinux2010_x86_64",
        "manylinux2014_x86_64",
        *(f"manylinux_2_{minor}_x86_64" for minor in range(5, GLIBC + 1)),
    ]
}
WHEEL = {"hashes": {"sha256": "0" * 64}}


@pytest.mark.parametrize("name", IMAGES)
def test_versions_are_those_of_the_constraints(name):
    locked, constraints = lock_files.read(name), lock_files.constraints()
    found = {each: entry.version for each, entry in locked.items()}
    assert found == {each: constraints.get(each) for each in locked}, "run make lock"


@pytest.mark.parametrize("name", IMAGES)
def test_a_lock_has_what_its_image_needs_and_nothing_else(name):
    assert set(lock_files.read(name)) == lock_files.needed(lock_files.IMAGES[name]), "run make lock"


def test_what_builds_our_distributions_is_locked_too():
    locked = lock_files.read("build")
    for requirement in lock_files.builders():
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)].version)


@pytest.mark.parametrize("name", LOCKS)
def test_every_file_is_a_wheel_for_the_images(name):
    for each, entry in lock_files.read(name).items():
        found, version, _, tags = parse_wheel_filename(entry.file)
        assert (found, str(version)) == (each, entry.version)
        assert set(map(str, tags)) & FITTING, entry.file


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_place_where_files_come_from(name):
    text = (lock_files.FOLDER / f"{name}.lock").read_text()
    assert not [word for word in ("://", "--index-url", "--find-links", "@") if word in text]


def test_the_tools_image_has_few_dependencies():
    assert set(lock_files.read("tools")) == {
        "cffi", "cryptography", "grpcio", "markdown-it-py", "mdurl", "prometheus-client",
        "protobuf", "pycparser", "pygments", "rich", "typing-extensions",
    }  # fmt: skip


def item(url, **info):
    return {"download_info": {"url": url} | info, "metadata": {"name": "An_e.x", "version": "1"}}


def test_a_report_becomes_pins_without_the_tree():
    report = {
        "install": [
            item("file:///somewhere/client", dir_info={}),
            item("https://host.example/a/an_e_x-1-py3-none-any.whl", archive_info=WHEEL),
        ]
    }
    [pin] = tool.pins(report)
    assert pin == tool.Pin("an-e-x", "1", "an_e_x-1-py3-none-any.whl", "0" * 64)
    assert "host.example" not in tool.text("What", [pin])


@pytest.mark.parametrize(
    "wrong",
    [
        item("https://host.example/an_e_x-1.tar.gz", archive_info=WHEEL),
        item("https://host.example/an_e_x-1-py3-none-any.whl", archive_info={}),
    ],
)
def test_what_cannot_be_checked_cannot_be_locked(wrong):
    with pytest.raises(tool.Unlockable, match=r"^an_e_x-1\S+ is no wheel with a SHA-256"):
        tool.pins({"install": [wrong]})


def test_elsewhere_it_says_where(monkeypatch, capsys):
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert tool.main([]) == 2
    told = capsys.readouterr().err
    assert told.startswith("lock: images are Linux x86_64 CPython 3.11, and this is ")
    assert told.endswith("run it there\n")


def test_a_lock_that_is_none_is_told(capsys):
    with pytest.raises(SystemExit):
        tool.main(["embeded"])
    assert "embeded is no lock: training, embedded, tools, build are" in capsys.readouterr().err
