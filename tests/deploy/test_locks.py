"""The lock files of the images: they agree with constraints.txt, and are complete and minimal."""

from __future__ import annotations

import platform

import lock as tool
import pytest
from deploy import lock_files
from packaging.utils import canonicalize_name, parse_wheel_filename

IMAGES = sorted(lock_files.IMAGES)
LOCKS = [*IMAGES, "build"]
GLIBC = 36
"""The minor version of glibc in Debian 12, the base of the images."""
every_lock = pytest.mark.parametrize("name", LOCKS)
every_image = pytest.mark.parametrize("name", IMAGES)
every_machine = pytest.mark.parametrize("machine", lock_files.MACHINES)
COMPATIBLE_TAGS = {
    f"{python}-{abi}-{platform_}"
    for python, abi in [
        *(("cp311", abi) for abi in ("cp311", "abi3", "none")),
        *((f"cp3{minor}", "abi3") for minor in range(2, 12)),
        *((python, "none") for python in ("py3", "py2", "py311")),
    ]
    for platform_ in [
        "any",
        *(f"manylinux{year}_{{machine}}" for year in (1, 2010, 2014)),
        *(f"manylinux_2_{minor}_{{machine}}" for minor in range(5, GLIBC + 1)),
    ]
}
WHEEL = {"hashes": {"sha256": "0" * 64}}


@every_machine
@every_image
def test_versions_agree_with_the_constraints(name, machine):
    locked, constraints = lock_files.read(name, machine), lock_files.constraints()
    found = {each: entry.version for each, entry in locked.items()}
    assert found == {each: constraints.get(each) for each in locked}, "run make lock"


@every_machine
@every_image
def test_a_lock_has_exactly_the_dependencies_of_its_image(name, machine):
    needed = lock_files.needed(lock_files.IMAGES[name], machine)
    assert set(lock_files.read(name, machine)) == needed, "run make lock"


def test_build_requirements_are_locked():
    locked = lock_files.read("build", "x86_64")
    for requirement in lock_files.builders():
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)].version)


@every_machine
@every_lock
def test_every_version_has_a_wheel_for_the_machine(name, machine):
    compatible = {tag.format(machine=machine) for tag in COMPATIBLE_TAGS}
    for each, entry in lock_files.read(name, machine).items():
        parsed = [parse_wheel_filename(file) for file in entry.files]
        assert {(found, str(version)) for found, version, *_ in parsed} == {(each, entry.version)}
        matching = [set(map(str, tags)) & compatible for *_, tags in parsed]
        assert any(matching), entry.files


@every_lock
def test_a_lock_contains_no_urls(name):
    text = (lock_files.FOLDER / f"{name}.lock").read_text()
    assert not [word for word in ("://", "--index-url", "--find-links", "@") if word in text]


def test_the_tools_image_has_few_dependencies():
    assert set(lock_files.read("tools", "x86_64")) == {
        "cffi", "cryptography", "grpcio", "markdown-it-py", "mdurl", "msgspec", "prometheus-client",
        "protobuf", "pycparser", "pygments", "rich", "typing-extensions",
    }  # fmt: skip


def item(url, **info):
    return {"download_info": {"url": url} | info, "metadata": {"name": "An_e.x", "version": "1"}}


def test_pins_of_a_report_omit_our_own_distributions():
    report = {
        "install": [
            item("file:///somewhere/client", dir_info={}),
            item("https://host.example/a/an_e_x-1-py3-none-any.whl", archive_info=WHEEL),
        ]
    }
    [pin] = tool.pins(report)
    assert pin == tool.Pin("an-e-x", "1", "an_e_x-1-py3-none-any.whl", "0" * 64)
    assert "host.example" not in tool.text("Title", [pin], [pin])


def test_a_text_has_the_wheels_of_both_machines():
    pure, one, other, only = (
        tool.Pin(kind[0], "1", f"{kind}.whl", kind) for kind in ("a-any", "b-x86", "b-arm", "c-x86")
    )
    _, text = tool.text("Title", [pure, one, only], [pure, other]).split("do not edit.\n")
    [both, two, x86] = text.split("# ", 1)[1].replace("# b-x86", "b-x86").split("# ")
    assert both == "a-any.whl\na==1 \\\n    --hash=sha256:a-any\n"
    assert two.startswith("b-arm.whl\nb-x86.whl\nb==1 \\\n    --hash=sha256:b-arm \\\n")
    assert x86.startswith('c-x86.whl\nc==1 ; platform_machine == "x86_64" \\\n')


@pytest.mark.parametrize(
    "invalid",
    [
        item("https://host.example/an_e_x-1.tar.gz", archive_info=WHEEL),
        item("https://host.example/an_e_x-1-py3-none-any.whl", archive_info={}),
    ],
)
def test_a_file_without_a_verifiable_wheel_is_an_error(invalid):
    with pytest.raises(tool.CannotLock, match=r"^cannot lock an_e_x-1\S+: expected a wheel"):
        tool.pins({"install": [invalid]})


def test_another_platform_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert tool.main([]) == 2
    message = capsys.readouterr().err
    assert message.startswith("lock: the images need Linux x86_64 CPython 3.11, and this is ")
    assert message.endswith("run it on that platform\n")


def test_an_unknown_lock_is_an_error(capsys):
    with pytest.raises(SystemExit):
        tool.main(["embeded"])
    assert (
        "unknown lock 'embeded': expected one of training, embedded, tools, build"
        in capsys.readouterr().err
    )
