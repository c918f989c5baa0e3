"""Writes a software bill of materials for each image and machine, as CycloneDX JSON.

Run by `make sbom`, which writes to dist/sbom. The components are our own distributions, the wheels
of the image's lock with their hashes, and the base image, whose contents are not listed here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import lock
from cyclonedx.contrib.this.builders import this_component
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist" / "sbom"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Names of machines as containers have them, and as Python has them."""
ENTRY = re.compile(
    r"(?P<files>(?:# \S+\.whl\n)+)(?P<requirement>[a-z].*?)(?P<hashes>(?: \\\n +--hash=\S+)+)\n"
)
"""A version in a lock: its wheels, the requirement, and the hashes in the same order."""
BASE = re.compile(r"^FROM (?P<name>[\w/]+):(?P<tag>\S+)$", re.MULTILINE)
"""The base of a stage of an image; the last one is that of the image."""


def wheels(text: str, machine: str) -> Iterator[Component]:
    """Yields the wheels of a lock for a machine."""
    for entry in ENTRY.finditer(text):
        requirement = Requirement(entry["requirement"])
        if requirement.marker and not requirement.marker.evaluate({"platform_machine": machine}):
            continue
        files = entry["files"].replace("# ", "").split()
        hashes = entry["hashes"].replace("\\", "").replace("--hash=sha256:", "").split()
        found = dict(zip(files, hashes, strict=True))
        # pip prefers the wheel of the machine where there is also one for any.
        [chosen, *_] = sorted(
            (file for file in files if file.endswith((f"{machine}.whl", "-any.whl"))),
            key=lambda file: file.endswith("-any.whl"),
        )
        version = str(requirement.specifier).removeprefix("==")
        sha256 = HashType(alg=HashAlgorithm.SHA_256, content=found[chosen])
        yield component(requirement.name, version, hashes=[sha256])


def own(folder: str) -> Component:
    """Returns one of our distributions."""
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
    licence = DisjunctiveLicense(id=project["license"])
    return component(project["name"], project["version"], licenses=[licence])


def component(name: str, version: str, **more: object) -> Component:
    """Returns a Python distribution."""
    url = PackageURL("pypi", None, name, version)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=url,
        bom_ref=str(url),
        **more,  # type: ignore[arg-type]  # keywords of Component
    )


def base(dockerfile: str) -> Component:
    """Returns the base image."""
    found = list(BASE.finditer(dockerfile))[-1]
    url = PackageURL("docker", None, found["name"], found["tag"])
    return Component(
        type=ComponentType.CONTAINER,
        name=found["name"],
        version=found["tag"],
        purl=url,
        bom_ref=str(url),
    )


def bill(image: str, machine: str) -> Bom:
    """Returns the bill of materials of an image for a machine, named as Python names it."""
    folders = [re.sub(r"\./|\[.*", "", requirement) for requirement in lock.IMAGES[image]]
    ours = [own(folder) for folder in folders]
    text = (ROOT / lock.FOLDER / f"{image}.lock").read_text()
    dockerfile = (ROOT / lock.FOLDER / f"{image}.Dockerfile").read_text()
    root = Component(
        type=ComponentType.CONTAINER,
        name=f"seq2sum/{image}",
        version=ours[0].version,
        bom_ref=f"seq2sum/{image}",
    )
    bom = Bom(components=[*ours, *wheels(text, machine), base(dockerfile)])
    bom.metadata.component = root
    bom.metadata.tools.components.add(this_component())
    bom.register_dependency(root, bom.components)
    return bom


def write(folder: Path) -> Iterator[Path]:
    """Writes all bills of materials into a folder, and yields their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for image in lock.IMAGES:
        for name, machine in MACHINES.items():
            path = folder / f"{image}-{name}.cdx.json"
            path.write_text(JsonV1Dot6(bill(image, machine)).output_as_string(indent=2) + "\n")
            yield path


if __name__ == "__main__":
    for written in write(DIST):
        print(written.relative_to(ROOT))
