"""The images that docker-compose.yml names: ours are built, public ones are pulled.

An engine of the tests that reaches no registry gets stand-ins for the public ones.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from containers import base_image, stand_ins
from containers.engine import Engine, NoEngine
from containers.run import step
from deploy import compose_dockerfile, compose_file
from support.paths import ROOT

STOCK_VARIABLE = "SEQ2SUM_STOCK_IMAGE"
"""The variable with a reference of a stock image, or with a file that `docker save` wrote."""
OURS = ("embedded", "train", "rollout")
"""Services whose images are built; each of them has another one."""
PULL_SECONDS = 300


def of_service(name: str) -> str:
    """Returns the image of a service."""
    return compose_file.services()[name]["image"]


def base() -> str:
    """Returns the base image of our images."""
    path = ROOT / "serving" / "docker" / "tools.Dockerfile"
    return compose_dockerfile.stages(path)[0][0].words[0]


def prepare(engine: Engine) -> str:
    """Pulls, builds or replaces all images, and returns which stock server the tests use.

    Raises:
        NoEngine: The engine of this machine has no image, and cannot pull it.
    """
    pulled = _pull_or_replace(engine, base(), base_image.build)
    with step("our images: build"):
        build_ours(engine)
    for service, make in {"router": stand_ins.envoy, "prometheus": stand_ins.prometheus}.items():
        _pull_or_replace(engine, of_service(service), _with(make, base=base()), pull=pulled)
    stock = of_service("serving")
    if chosen := os.environ.get(STOCK_VARIABLE):
        _tag_stock_image(engine, chosen, stock)
        return f"{chosen}, from {STOCK_VARIABLE}"
    embedded = of_service("embedded")
    make = _with(stand_ins.stock_server, embedded=embedded)
    if _pull_or_replace(engine, stock, make, pull=pulled, keep=False):
        return f"{stock}, as the engine has or pulls it"
    return f"a stand-in for {stock}, which runs seq2sum-serve: no registry of images is reached"


def build_ours(engine: Engine) -> None:
    """Builds the images of this repository as a user does."""
    file = ("--file", compose_file.PATH, f"--env-file={os.devnull}")
    engine.docker("compose", *file, "--profile", "*", "build", *OURS)


def size(engine: Engine, image: str) -> int:
    """Returns the bytes of an image."""
    return engine.inspect(image)[0]["Size"]


def _with(make: Callable, **options: str) -> Callable:
    return lambda engine, name, folder: make(engine, name, folder, **options)


def _pull_or_replace(
    engine: Engine, name: str, make: Callable, *, pull: bool = True, keep: bool = True
) -> bool:
    """Returns whether the image is the public one."""
    if pull and _pull(engine, name):
        return True
    if engine.owned and keep and _exists(engine, name):
        return False  # of an earlier run
    if not engine.owned:
        raise NoEngine(f"cannot pull {name}: connect the container engine to its registry")
    with step(f"stand-in for {name}"), tempfile.TemporaryDirectory() as folder:
        make(engine, name, Path(folder))
    return False


def _pull(engine: Engine, name: str) -> bool:
    if not engine.owned and _exists(engine, name):
        return True
    with step(f"pull {name}"):
        try:
            done = engine.docker("pull", name, check=False, timeout=PULL_SECONDS)
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


def _exists(engine: Engine, name: str) -> bool:
    return engine.docker("image", "inspect", name, check=False).returncode == 0


def _tag_stock_image(engine: Engine, chosen: str, name: str) -> None:
    if Path(chosen).is_file():
        loaded = engine.docker("load", "--input", chosen).stdout
        found = re.search(r"^Loaded image(?: ID)?: (\S+)", loaded, re.MULTILINE)
        assert found, loaded
        chosen = found[1]
    else:
        engine.docker("pull", chosen)
    engine.docker("tag", chosen, name)
