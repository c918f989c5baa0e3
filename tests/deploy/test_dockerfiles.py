"""Images that are built here: pinned, small, not root, and with what their commands need."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest
from deploy import compose_file
from deploy.compose_dockerfile import Context, instructions, stages
from support.paths import BIN, ROOT

DOCKER = ROOT / "serving" / "docker"
INSTALLED = {
    "training": {"client": [], "training": []},
    "embedded": {"client": [], "serving": ["embedded"]},
    "tools": {"client": [], "serving": []},
}
"""Distributions of each image, by their folders, with the extras that its lock file covers."""
EXPOSED = {"training": [], "embedded": ["8500", "8501"], "tools": ["9851"]}

every_image = pytest.mark.parametrize("image", INSTALLED)


def dockerfile(image):
    return DOCKER / f"{image}.Dockerfile"


def last(image, word):
    """The instruction of this kind that holds when the image runs."""
    return [one for one in stages(dockerfile(image))[-1] if one.word == word][-1]


def project(distribution):
    return tomllib.loads((ROOT / distribution / "pyproject.toml").read_text())["project"]


def commands(image):
    """What can be run in an image: console scripts, and scripts that are copied."""
    scripts = {name for folder in INSTALLED[image] for name in project(folder)["scripts"]}
    copies = [one.words for one in stages(dockerfile(image))[-1] if one.word == "COPY"]
    return scripts | {to.rpartition("/")[2] for _, to in copies if to.startswith("/usr/local/bin/")}


def locked(image):
    """Names in an image's lock file."""
    found = re.findall(r"^([\w.-]+)==", (DOCKER / f"{image}.lock").read_text(), re.MULTILINE)
    return {plain(name) for name in found}


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_there_is_a_file_for_each_image():
    assert {path.stem for path in DOCKER.glob("*.Dockerfile")} == set(INSTALLED)


@every_image
def test_hadolint_finds_nothing(image):
    line = [BIN / "hadolint", "--no-color", dockerfile(image)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_all_are_built_on_one_pinned_image():
    bases = {one.words[0] for image in INSTALLED for one in stages_begin(image)}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", bases.pop())


def stages_begin(image):
    return [stage[0] for stage in stages(dockerfile(image))]


@every_image
def test_what_installs_stays_behind(image):
    built, kept = stages(dockerfile(image))
    assert any(one.word == "RUN" for one in built)
    assert not any(one.word == "RUN" for one in kept)
    assert next(one.options for one in kept if one.word == "COPY") == ("--from=build",)


@every_image
def test_what_is_copied_exists_and_is_in_the_context(image):
    context = Context(ROOT / ".dockerignore")
    copies = [one for one in instructions(dockerfile(image)) if one.word == "COPY"]
    sources = [
        source for one in copies if "--from=build" not in one.options for source in one.words[:-1]
    ]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [source for source in sources if not context.has(source)] == []


@pytest.mark.parametrize(
    "path",
    [
        *(
            ".git/config",
            ".venv/bin/python",
            "models/seq2sum/1/saved_model.pb",
            "runs/mine/run.json",
        ),
        *("certs/server.key", "serving/monitoring/prometheus.yml", ".env", "tests/conftest.py"),
        *("client/src/seq2sum/__pycache__/x.pyc", "serving/src/seq2sum_serving.egg-info/PKG-INFO"),
    ],
)
def test_nothing_else_gets_into_the_context(path):
    assert not Context(ROOT / ".dockerignore").has(path)


@every_image
def test_what_others_made_is_installed_by_hash_and_ours_without_asking_for_more(image):
    runs = " && ".join(one.value for one in stages(dockerfile(image))[0] if one.word == "RUN")
    *others, build, install = [line for line in runs.split(" && ") if "venv" not in line]
    ours = " ".join(f"/build/{folder}" for folder in INSTALLED[image])
    locks = [line.partition("install --require-hashes --requirement ")[2] for line in others]
    assert locks == ["/build/build.lock", f"/build/{image}.lock"]
    assert build.startswith("pip wheel")
    assert build.endswith(ours)
    assert {"--no-deps", "--no-build-isolation"} <= set(build.split())
    assert "--no-deps" in install.split()
    assert install.endswith("/build/wheels/*.whl")


@every_image
def test_the_lock_file_has_what_the_distributions_need(image):
    needed = set()
    for folder, extras in INSTALLED[image].items():
        told = project(folder)
        requirements = list(told["dependencies"])
        for extra in extras:
            requirements += told["optional-dependencies"][extra]
        needed |= {plain(re.match(r"[\w.-]+", one)[0]) for one in requirements}
    ours = {project(folder)["name"] for folder in INSTALLED[image]}
    assert needed - ours <= locked(image)


def test_tools_carry_no_tensorflow():
    assert not {"tensorflow", "numpy", "keras"} & locked("tools")


@every_image
def test_it_runs_as_a_user_who_is_not_root_and_has_a_number(image):
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last(image, "USER").value)


@every_image
def test_it_starts_a_command_that_is_in_it_without_a_shell(image):
    entry = last(image, "ENTRYPOINT")
    assert entry.value.startswith("[")
    assert entry.words[0] in commands(image)


@every_image
def test_scripts_call_only_commands_that_are_in_the_image(image):
    copies = [one.words for one in stages(dockerfile(image))[-1] if one.word == "COPY"]
    scripts = [ROOT / source for source, _ in copies if source.endswith(".sh")]
    called = {
        name for path in scripts for name in re.findall(r"\bseq2sum-[a-z]+\b", path.read_text())
    }
    assert called - {"seq2sum-serving"} <= commands(image)


@every_image
def test_ports_are_told(image):
    told = [one.value for one in stages(dockerfile(image))[-1] if one.word == "EXPOSE"]
    assert " ".join(told).split() == EXPOSED[image]


@pytest.mark.parametrize("name", compose_file.OURS)
def test_compose_builds_the_image_that_it_names_and_runs_what_is_in_it(name):
    service = compose_file.services()[name]
    image, version = service["image"].removeprefix("seq2sum/").split(":")
    assert service["build"] == {"context": ".", "dockerfile": f"serving/docker/{image}.Dockerfile"}
    assert version == project("serving")["version"]
    assert service.get("entrypoint", last(image, "ENTRYPOINT").words)[0] in commands(image)


def test_the_embedded_server_listens_beyond_the_loopback_of_its_container():
    assert "--host=0.0.0.0" in last("embedded", "ENTRYPOINT").words
