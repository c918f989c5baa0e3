"""The images: pinned, small, without root, and with everything that their commands need."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest
from deploy import compose_file
from deploy.compose_dockerfile import Context, stages
from support.paths import BIN, ROOT

DOCKER = ROOT / "serving" / "docker"
INSTALLED = {
    "training": ("client", "training"),
    "embedded": ("client", "serving"),
    "tools": ("client", "serving"),
}
"""The folders of the distributions in each image."""
EXPOSED = {"training": [], "embedded": ["8500", "8501"], "tools": ["9851"]}

every_image = pytest.mark.parametrize("image", INSTALLED)


def dockerfile(image):
    return DOCKER / f"{image}.Dockerfile"


def of_stage(image, number, name):
    """The instructions of a kind in a stage."""
    return [each for each in stages(dockerfile(image))[number] if each.name == name]


def last(image, name):
    """The instruction of a kind that is effective in the image."""
    return of_stage(image, -1, name)[-1]


def project(distribution):
    return tomllib.loads((ROOT / distribution / "pyproject.toml").read_text())["project"]


def commands(image):
    """The commands of an image: console scripts and copied scripts."""
    scripts = {name for folder in INSTALLED[image] for name in project(folder)["scripts"]}
    targets = [each.words[1] for each in of_stage(image, -1, "COPY")]
    return scripts | {
        target.rpartition("/")[2] for target in targets if target.startswith("/usr/local/bin/")
    }


def test_each_image_has_a_dockerfile():
    assert {path.stem for path in DOCKER.glob("*.Dockerfile")} == set(INSTALLED)


@every_image
def test_hadolint_finds_nothing(image):
    line = [BIN / "hadolint", "--no-color", dockerfile(image)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_all_stages_have_the_same_pinned_base_image():
    named = {stage[0].words[0] for image in INSTALLED for stage in stages(dockerfile(image))}
    [base] = named - {"packages"}
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", base)


@every_image
def test_the_final_stage_only_copies(image):
    assert len(stages(dockerfile(image))) == 3
    assert not of_stage(image, -1, "RUN")
    copied = [(*each.options, *each.words) for each in of_stage(image, -1, "COPY")[:2]]
    # The small layer of our own code is above the large one of third-party packages.
    assert copied == [
        ("--from=packages", "/opt/seq2sum", "/opt/seq2sum"),
        ("--from=build", "/build/own/opt/seq2sum", "/opt/seq2sum"),
    ]


@every_image
def test_the_stage_of_packages_has_no_code_of_ours(image):
    [lock] = of_stage(image, 0, "COPY")
    assert lock.words == [f"serving/docker/{image}.lock", "/build/"]


@every_image
def test_copied_files_exist_and_are_in_the_build_context(image):
    context = Context(ROOT / ".dockerignore")
    copies = [each for number in range(3) for each in of_stage(image, number, "COPY")]
    copies = [each for each in copies if "--from=" not in "".join(each.options)]
    sources = [source for each in copies for source in each.words[:-1]]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [source for source in sources if source not in context] == []


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        "models/seq2sum/1/saved_model.pb",
        "runs/mine/run.json",
        "certs/server.key",
        "serving/monitoring/prometheus.yml",
        ".env",
        "tests/conftest.py",
        "client/src/seq2sum/__pycache__/x.pyc",
        "serving/src/seq2sum_serving.egg-info/PKG-INFO",
    ],
)
def test_other_files_are_not_in_the_build_context(path):
    assert path not in Context(ROOT / ".dockerignore")


@every_image
def test_dependencies_are_installed_by_hash_and_our_wheels_without_dependencies(image):
    runs = " && ".join(each.value for number in range(2) for each in of_stage(image, number, "RUN"))
    *locked, build, install = [
        line for line in runs.split(" && ") if "pip " in line and "venv" not in line
    ]
    locks = [
        line.partition("install --no-deps --require-hashes --requirement ")[2] for line in locked
    ]
    assert locks == [f"/build/{image}.lock", "/build/build.lock"]
    assert build.startswith("pip wheel")
    assert build.endswith(" ".join(f"/build/{folder}" for folder in INSTALLED[image]))
    assert {"--no-deps", "--no-build-isolation"} <= set(build.split())
    assert "--no-deps --root /build/own" in install
    assert install.endswith("/build/wheels/*.whl")


@every_image
def test_the_user_is_numeric_and_not_root(image):
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last(image, "USER").value)


@every_image
def test_the_entry_point_is_a_command_of_the_image_without_a_shell(image):
    entry = last(image, "ENTRYPOINT")
    assert entry.value.startswith("[")
    assert entry.words[0] in commands(image)


@every_image
def test_scripts_call_only_commands_of_the_image(image):
    sources = [each.words[0] for each in of_stage(image, -1, "COPY")[2:]]
    texts = [(ROOT / source).read_text() for source in sources if source.endswith(".sh")]
    called = {name for text in texts for name in re.findall(r"\bseq2sum-[a-z]+\b", text)}
    assert called - {"seq2sum-serving"} <= commands(image)


@every_image
def test_ports_are_exposed(image):
    ports = [each.value for each in of_stage(image, -1, "EXPOSE")]
    assert " ".join(ports).split() == EXPOSED[image]


@pytest.mark.parametrize("name", compose_file.OURS)
def test_compose_builds_the_image_and_runs_a_command_of_it(name):
    service = compose_file.services()[name]
    image, version = service["image"].removeprefix("seq2sum/").split(":")
    assert service["build"] == {"context": ".", "dockerfile": f"serving/docker/{image}.Dockerfile"}
    assert version == project("serving")["version"]
    assert service.get("entrypoint", last(image, "ENTRYPOINT").words)[0] in commands(image)


def test_the_embedded_server_listens_on_all_interfaces_of_its_container():
    assert "--host=0.0.0.0" in last("embedded", "ENTRYPOINT").words
