"""A model volume, and the init containers that prepare it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from deploy.kubernetes_manifests import overlay, pods
from support.paths import ROOT


class Volume:
    """A folder as the model volume, empty at first.

    Args:
        folder: For the volume and for the files of the ConfigMap with the initial file.
    """

    def __init__(self, folder: Path) -> None:
        self.models, self._first = folder / "models", folder / "first"
        self.models.mkdir()
        self._first.mkdir()
        shutil.copy(ROOT / "serving" / "config" / "models.config", self._first)
        self.first = (self._first / "models.config").read_text()
        self.config = self.models / "models.config"
        self.candidate = self.models / "candidate.config"

    def start(
        self,
        host: str = "pod",
        path: str = os.environ["PATH"],
        model: str = "seq2sum",
        component: str = "serving",
    ) -> subprocess.CompletedProcess[str]:
        """Runs the init containers of a pod with the real bash, until one fails."""
        environment = {
            "PATH": path,
            "HOSTNAME": host,
            "MODELS": str(self.models),
            "FIRST": str(self._first),
            "MODEL": model,
        }
        for container in pods(overlay("local"), component).spec["initContainers"]:
            assert {each["name"] for each in container["env"]} <= environment.keys()
            done = subprocess.run(
                [*container["command"], *container["args"]],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                break
        return done

    def files(self) -> list[str]:
        """Returns the names of the files on the volume."""
        return sorted(path.name for path in self.models.iterdir() if path.is_file())
