"""Downloads and unpacks packages and systems of Debian, without installing them on the machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from containers.run import run

KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirror() -> str:
    """Returns the address of the mirror that this machine uses."""
    targets = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages")
    return targets.stdout.split()[0]


def missing(folder: Path, *packages: str) -> Path:
    """Unpacks packages of this release into a folder, with all dependencies that are missing.

    Returns:
        The root of the unpacked files.
    """
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    run("apt-get", "update", "--quiet")
    download = ("--yes", "--download-only", "--no-install-recommends")
    run("apt-get", "install", *download, f"--option=Dir::Cache::Archives={archives}", *packages)
    return _unpacked(archives, folder / "root")


def of_release(release: str, folder: Path, *packages: str) -> Path:
    """Unpacks packages of another release into a folder, without dependencies.

    APT uses an index of that release in the folder, so the machine keeps to its own release.
    """
    archives = folder / "archives"
    for name in ("archives", "lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={KEYS}] {mirror()} {release} main\n")
    values = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::Status": folder / "status",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",  # the user _apt cannot write to the folder
    }
    options = [f"--option={name}={value}" for name, value in values.items()]
    run("apt-get", *options, "update", "--quiet")
    run("apt-get", *options, "download", *packages, folder=archives)
    return _unpacked(archives, folder / "root")


def make_system(
    release: str, target: Path, *packages: str, environment: Mapping[str, str] | None = None
) -> None:
    """Writes the files of a minimal Debian with these packages; `target` is a folder or a .tar."""
    include = f"--include={','.join(packages)}"
    source = f"deb {mirror()} {release} main"
    line = ("mmdebstrap", "--quiet", "--variant=minbase", include, release, target, source)
    run(*line, environment=environment)


def _unpacked(archives: Path, root: Path) -> Path:
    root.mkdir()
    for package in sorted(archives.glob("*.deb")):
        run("dpkg-deb", "--extract", package, root)
        package.unlink()
    return root
