"""The overlays, and overlays of users that add a component to production."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

from deploy.kubernetes_manifests import KUBERNETES, OVERLAYS, Object, overlay, rendered

CUSTOM = """\
namespace: sums
images:
  - {name: seq2sum/tools, newName: registry.example/seq2sum/tools}
patches:
  - target: {kind: PersistentVolumeClaim, name: seq2sum-models}
    patch: |
      - {op: replace, path: /spec/storageClassName, value: nfs}
"""
"""An overlay as described in README.md: with its own registry, storage class and namespace."""


@functools.cache
def with_component(component: str, text: str = "namespace: seq2sum\n") -> tuple[Object, ...]:
    """Returns the objects of an overlay of a user.

    Args:
        component: The component that it adds to the production overlay.
        text: The rest of its kustomization.yaml.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        production, added = (
            os.path.relpath(KUBERNETES / where, folder)
            for where in ("overlays/production", f"components/{component}")
        )
        head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        parts = f"resources: [{production}]\ncomponents: [{added}]\n"
        (folder / "kustomization.yaml").write_text(head + parts + text)
        return rendered(folder)


def custom() -> tuple[Object, ...]:
    """Returns the objects of the example in README.md, which has TLS."""
    return with_component("tls", CUSTOM)


VARIANTS = (*OVERLAYS, "custom", "gateway")
"""Names of everything that is rendered."""


def variant(name: str) -> tuple[Object, ...]:
    """Returns the objects of an overlay, of the example, or of production with a Gateway."""
    if name == "custom":
        return custom()
    return with_component(name) if name == "gateway" else overlay(name)
