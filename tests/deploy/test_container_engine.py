"""The container engine that `make check-containers` uses, and its messages without one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from containers import base_image, engine, own_engine

RAN = """\
#!/bin/sh
echo "$0" >&2
exit {code}
"""


@pytest.fixture(autouse=True)
def no_engine_answers(monkeypatch):
    monkeypatch.setattr(engine, "_answers", lambda _: False)


@pytest.fixture
def capable(monkeypatch, tmp_path):
    """A machine that can run an engine, as far as its release, user and disk are concerned."""
    monkeypatch.setattr(own_engine, "RELEASE", tmp_path / "os-release")
    own_engine.RELEASE.write_text('NAME="Debian GNU/Linux"\nID=debian\n')
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(own_engine, "NEEDED_BYTES", 1)
    return tmp_path


def reason():
    with pytest.raises(engine.NoEngine) as raised, engine.found():
        raise AssertionError("an engine was found")
    return str(raised.value)


def test_a_capable_machine_has_no_obstacle(capable):
    assert own_engine.obstacle(capable) == ""


def test_another_user_than_root_gets_the_reason_and_two_solutions(capable, monkeypatch):  # noqa: ARG001
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert reason() == (
        "no container engine answers `docker info`, and tests cannot start one: this user is not "
        "root; start Docker, or run them as root on Debian"
    )


@pytest.mark.parametrize("text", ["ID=fedora\n", "ID_LIKE=debian\n", None])
def test_other_systems_are_reported(capable, text):  # noqa: ARG001
    own_engine.RELEASE.unlink() if text is None else own_engine.RELEASE.write_text(text)
    assert "tests cannot start one: this is not Debian; start Docker" in reason()


def test_a_full_disk_is_reported(capable, monkeypatch):  # noqa: ARG001
    monkeypatch.setattr(own_engine, "NEEDED_BYTES", 10**18)
    assert "GB free, and the images need 1000000000 GB" in reason()


def programs(folder: Path, **codes: int) -> None:
    """Creates the unpacked programs of an earlier run: scripts with these exit codes."""
    target = folder / "programs" / "root" / "usr" / "bin"
    target.mkdir(parents=True)
    for name, code in codes.items():
        path = target / name.replace("_", "-")
        path.write_text(RAN.format(code=code))
        path.chmod(0o755)


@pytest.fixture
def kept(capable, monkeypatch):
    """The folder of an engine that an earlier run has unpacked."""
    folder = capable / "kept"
    monkeypatch.setenv(engine.FOLDER, str(folder))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**12))
    return folder


def test_an_engine_that_does_not_start_is_reported_with_its_log(kept, monkeypatch):
    monkeypatch.setattr(own_engine.packet_filter, "FORWARDING", kept / "forwarding")
    programs(kept, dockerd=1, docker=1, xtables_nft_multi=0)
    own_engine.packet_filter.FORWARDING.write_text("0\n")
    text = reason()
    assert text.startswith(
        "cannot start a container engine on this machine: dockerd did not start:"
    )
    assert text.endswith("programs/root/usr/bin/dockerd")


def test_a_kernel_without_a_packet_filter_is_reported(kept):
    programs(kept, dockerd=0, docker=1, xtables_nft_multi=1, xtables_legacy_multi=1)
    assert "the kernel has no packet filter" in reason()


def test_packages_that_cannot_be_downloaded_are_reported(kept, monkeypatch):
    def download(*_):
        raise own_engine.CommandFailed("apt-get update: exit code 100")

    monkeypatch.setattr(own_engine.debian_packages, "missing", download)
    assert "on this machine: apt-get update: exit code 100" in reason()
    assert not (kept / "programs").exists()


def test_options_of_pip_are_kept_but_for_folders_of_the_machine():
    text = base_image.pip_configuration(
        [
            "global.index-url='https://index.example/simple'",
            "global.extra-index-url='file:///opt/wheels https://more.example/simple'",
            "global.constraint='/etc/constraints.txt'",
            "global.cert='/home/me/ca.pem'",
            "global.timeout='15'",
            ":env:.default-timeout='180'",
            ":env:.find-links='/opt/wheels'",
        ]
    )
    assert text.splitlines() == [
        "[global]",
        f"cert = {base_image.CERTIFICATES}",
        "index-url = https://index.example/simple",
        "extra-index-url = https://more.example/simple",
        "timeout = 180",
    ]
