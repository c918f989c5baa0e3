"""The bills of materials of the images: valid CycloneDX, and exactly what the locks have."""

from __future__ import annotations

import json
import re

import pytest
import sbom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from deploy import lock_files


@pytest.fixture(scope="module")
def bills(tmp_path_factory):
    """The files that `make sbom` writes, by image and machine."""
    paths = list(sbom.write(tmp_path_factory.mktemp("sbom")))
    return {path.name.removesuffix(".cdx.json"): path.read_text() for path in paths}


def test_files_are_valid_cyclonedx(bills):
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert len(bills) == len(lock_files.IMAGES) * len(lock_files.MACHINES)
    for image in lock_files.IMAGES:  # those for arm64 differ in names only
        assert validator.validate_str(bills[f"{image}-amd64"]) is None
    assert validator.validate_str(bills["tools-amd64"].replace("SHA-256", "SHA-257"))


@pytest.mark.parametrize(("name", "machine"), [("amd64", "x86_64"), ("arm64", "aarch64")])
@pytest.mark.parametrize("image", lock_files.IMAGES)
def test_components_are_those_of_the_image(bills, image, name, machine):
    bill = json.loads(bills[f"{image}-{name}"])
    found = {each["purl"]: each for each in bill["components"]}
    locked = lock_files.read(image, machine)
    ours = {root.partition("[")[0] for root in lock_files.IMAGES[image]}
    version = bill["metadata"]["component"]["version"]
    assert set(found) == {
        *(f"pkg:pypi/{key}@{entry.version}" for key, entry in locked.items()),
        *(f"pkg:pypi/{each}@{version}" for each in ours),
        "pkg:docker/python@3.11.15-slim-bookworm",
    }
    text = (lock_files.FOLDER / f"{image}.lock").read_text()
    for entry in lock_files.ENTRY.finditer(text):
        hashes = re.findall(r"sha256:(\w+)", entry["hashes"])
        files = dict(zip(hashes, re.findall(r"\S+\.whl", entry["files"]), strict=True))
        if entry["name"] in locked:
            wheel = found[f"pkg:pypi/{entry['name']}@{entry['version']}"]
            assert [each["alg"] for each in wheel["hashes"]] == ["SHA-256"]
            file = files[wheel["hashes"][0]["content"]]
            assert machine in file or not any(machine in each for each in files.values())
            assert machine in file or file.endswith("-any.whl")
    [dependencies] = [
        each["dependsOn"]
        for each in bill["dependencies"]
        if each["ref"] == bill["metadata"]["component"]["bom-ref"]
    ]
    assert len(dependencies) == len(found)
