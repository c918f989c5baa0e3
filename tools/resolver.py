"""uv in a temporary folder: resolves dependencies for any platform and release of Python.

pip cannot: it evaluates `sys_platform` and the like for the machine that it runs on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = "uv>=0.9,<1"
OURS = ("seq2sum", "seq2sum-training", "seq2sum-serving")
OLDEST_MACOS = "12.0"
"""Of TensorFlow's wheels."""


class CannotResolve(Exception):
    """A requirement has no wheel for the platform; the message is uv's."""


class Resolver:
    """uv in a folder. Configured like pip: with its index, if it has another one than PyPI."""

    def __init__(self, folder: Path) -> None:
        """Installs uv into the folder."""
        self._folder = folder
        pip = (sys.executable, "-m", "pip")
        line = [*pip, "install", "--quiet", f"--target={folder / 'uv'}", UV]
        subprocess.run(line, check=True)
        index = subprocess.run(
            [*pip, "config", "get", "global.index-url"], capture_output=True, text=True, check=False
        ).stdout.strip()
        self._uv = (folder / "uv" / "bin" / "uv", "pip")
        self._environment = os.environ | {
            "UV_CACHE_DIR": str(folder / "cache"),
            **({"UV_DEFAULT_INDEX": index} if index else {}),
        }

    def resolve(
        self,
        requirements: Sequence[str],
        *options: str,
        python: str,
        platform: str,
        macos: str = OLDEST_MACOS,
    ) -> Mapping[str, str]:
        """Returns versions by name: only of wheels, except our own distributions.

        Raises:
            CannotResolve: There are none.
        """
        file = self._folder / "requirements.in"
        file.write_text("".join(f"{each}\n" for each in requirements))
        line = [
            *(*self._uv, "compile", "--quiet", "--no-header", "--no-annotate"),
            *("--only-binary=:all:", *(f"--no-binary={name}" for name in OURS)),
            *(f"--python-version={python}", f"--python-platform={platform}", *options, file),
        ]
        done = subprocess.run(
            line,
            cwd=ROOT,
            env={**self._environment, "MACOSX_DEPLOYMENT_TARGET": macos},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CannotResolve(" ".join(done.stderr.split()))
        pins = (text.partition("==") for text in done.stdout.splitlines())
        return {name: version for name, equals, version in pins if equals}

    def install(self, python: Path, *requirements: str, constraint: Path) -> None:
        """Installs into the environment of an interpreter.

        Raises:
            CalledProcessError: It failed; uv has printed the reason.
        """
        line = [*self._uv, "install", "--quiet", f"--python={python}", f"--constraint={constraint}"]
        subprocess.run([*line, *requirements], cwd=ROOT, env=self._environment, check=True)
