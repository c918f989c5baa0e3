"""A stand-in for the public Python image, where no registry of images can be reached.

Debian's python3, pip and venv, with what pip needs on this machine to reach a package index: its
options and the trusted certificates. They are in this local image only.
"""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

from containers import debian_packages
from containers.engine import Engine
from containers.run import run, step

RELEASE = "bookworm"
PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv")
ROOT_FILES = "seq2sum-check/debian:latest"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
DOCKERFILE = f"""\
FROM {ROOT_FILES}
RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \\
    && ln -s /usr/bin/python3 /usr/local/bin/python \\
    && ln -s /usr/bin/python3 /usr/local/bin/python3
COPY pip.conf /etc/pip.conf
COPY certificates.pem {CERTIFICATES}
"""


def build(engine: Engine, name: str, folder: Path) -> None:
    """Builds the image with this name."""
    archive = folder / "root.tar"
    with step("base image: files of Debian"):
        debian_packages.make_system(RELEASE, archive, *PACKAGES, environment=engine.environment)
    with step("base image: import and build"):
        engine.docker("import", archive, ROOT_FILES)
        archive.unlink()
        (folder / "Dockerfile").write_text(DOCKERFILE)
        (folder / "pip.conf").write_text(pip_configuration(pip_options()))
        (folder / "certificates.pem").write_bytes(trusted_certificates())
        engine.docker("build", "--tag", name, folder)


def pip_configuration(lines: list[str]) -> str:
    """Returns a configuration file with what is useful elsewhere of `pip config list`.

    Folders of this machine are left out. The environment overrides files, as in pip.
    """
    values: dict[str, str] = {}
    for line in sorted(lines, key=lambda line: line.startswith(":env:")):
        key, _, quoted = line.partition("=")
        option = key.rpartition(".")[2].removeprefix("default-")
        words = [word for word in quoted.strip("'\"").split() if not word.startswith("file:")]
        if option in PIP_OPTIONS and words:
            values[option] = " ".join(words)
    options = "".join(f"{option} = {value}\n" for option, value in values.items())
    return f"[global]\ncert = {CERTIFICATES}\n{options}"


def trusted_certificates() -> bytes:
    """Returns the certificates that this machine trusts."""
    return Path(ssl.get_default_verify_paths().cafile or CERTIFICATES).read_bytes()


def pip_options() -> list[str]:
    """Returns the lines of `pip config list`."""
    return run(sys.executable, "-m", "pip", "config", "list").stdout.splitlines()
