"""The archives of the three distributions, and the client alone in an empty environment."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes

import distributions
import pytest
import version
from support import doc_snippets
from support.paths import ROOT

pytestmark = [pytest.mark.server, pytest.mark.end_to_end]

ALLOWED = {"seq2sum", "grpcio", "protobuf", "typing-extensions", "pip", "setuptools"}
TABLES = {"rich", "markdown-it-py", "mdurl", "pygments"}
"""Dependencies of `seq2sum-rollout`, for its tables."""
PROBE = {"prometheus-client", "cryptography", "cffi", "pycparser"}
"""Dependencies of `seq2sum-probe`, for metrics and certificates."""
POLICY = {"msgspec"}
"""Dependencies of the gates, to read their policy."""
PACKAGES = {"seq2sum": "client", "seq2sum_training": "training", "seq2sum_serving": "serving"}
"""The folder of each package."""
DATA = {
    "seq2sum": {"py.typed", "protocol/predict_pb2.pyi"},
    "seq2sum_training": {"recipes/fast.toml", "evaluate/templates/report.html.j2"},
    "seq2sum_serving": {
        "embedded/rest/web/page.html",
        "embedded/rest/web/page.css",
        "gates/policy.toml",
    },
}
"""Some files that are not Python code, and that each package needs."""
VERSION = version.version(ROOT)
_, _, GIT = shlex.split(doc_snippets.commands(doc_snippets.text("docs/install.md"))[0])
"""The requirement of `pip install`, with a git address, as documented."""


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The folder with the wheels and source archives that `make dist` builds and checks."""
    folder = tmp_path_factory.mktemp("dist")
    distributions.check(distributions.build(folder))
    return folder


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A git repository with the client of the working tree, in the folder that ours has."""
    folder = tmp_path_factory.mktemp("repository")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "client", folder / "client", ignore=ignored)
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for line in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "-m", "Test"]):
        subprocess.run(["git", *line], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def python(tmp_path_factory, repository):
    """An environment with only the client, from its git address, and its dependencies."""
    folder = tmp_path_factory.mktemp("install") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    requirement = GIT.replace("https://HOST/OWNER/REPOSITORY.git", f"file://localhost{repository}")
    install(folder / "bin" / "python", requirement)
    return folder / "bin" / "python"


def install(python, *requirements):
    """Installs within the constraints."""
    pip = (python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt")
    subprocess.run([*pip, *requirements], check=True, capture_output=True, timeout=280)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def names(python):
    """Returns the normalized names of the installed distributions."""
    installed = json.loads(run(python, "-m", "pip", "list", "--format=json"))
    return {entry["name"].lower().replace("_", "-") for entry in installed}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_has_the_package_and_nothing_else(archives, package):
    source = ROOT / PACKAGES[package] / "src"
    paths = [path for path in source.joinpath(package).rglob("*.*") if path.suffix != ".pyc"]
    expected = {str(path.relative_to(source)) for path in paths}
    assert expected >= {f"{package}/{name}" for name in DATA[package]}
    about = f"{package}-{VERSION}.dist-info"
    with zipfile.ZipFile(archives / f"{package}-{VERSION}-py3-none-any.whl") as wheel:
        found = set(wheel.namelist())
        licence = wheel.read(f"{about}/licenses/LICENSE")
        metadata = message_from_bytes(wheel.read(f"{about}/METADATA"))
    names = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    assert found == expected | {f"{about}/{name}" for name in names}
    assert not [name for name in found if "test_" in name or "/tests/" in name]
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert metadata["License-Expression"] == "Apache-2.0"
    ours = [each for each in metadata.get_all("Requires-Dist") if each.startswith("seq2sum")]
    assert ours == ([] if package == "seq2sum" else [f"seq2sum=={VERSION}"])


@pytest.mark.parametrize("package", PACKAGES)
def test_a_source_archive_has_only_what_a_wheel_is_built_from(archives, package):
    with tarfile.open(archives / f"{package}-{VERSION}.tar.gz") as archive:
        members = archive.getmembers()
    assert {each.name.split("/")[1] for each in members} == {
        ".gitignore", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "src",
    }  # fmt: skip
    assert all(each.isfile() for each in members)


def test_the_client_depends_on_neither_tensorflow_nor_numpy(python):
    assert {"seq2sum"} <= names(python) <= ALLOWED


def test_the_package_and_its_command_work(python):
    code = "import seq2sum; print(seq2sum.addition.contract.MODEL_NAME)"
    assert run(python, "-c", code) == "seq2sum\n"
    assert "add" in run(python.parent / "seq2sum", "--help")
    assert run(python.parent / "seq2sum", "--version") == f"seq2sum {VERSION}\n"


def test_the_package_is_typed(python):
    folder = run(python, "-c", "import seq2sum; print(seq2sum.__path__[0])").strip()
    assert run("ls", folder).split().count("py.typed") == 1


def test_rollout_and_probe_do_not_depend_on_tensorflow(python, archives):
    """Must be the last test: it installs into the same environment."""
    install(python, *archives.glob("seq2sum_serving-*.whl"))
    assert names(python) <= ALLOWED | {"seq2sum-serving", *TABLES, *PROBE, *POLICY}
    assert "rollback" in run(python.parent / "seq2sum-rollout", "--help")
    assert "--once" in run(python.parent / "seq2sum-probe", "--help")
