"""Models of fake servers, with their model config file and golden requests."""

from __future__ import annotations

import json

from seq2sum import TensorSpec, golden
from seq2sum.testing import FakeServer, FakeSignature

ENTRY = """
  config {{
    name: "{name}"
    base_path: "{base}"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 2 }} }}
    version_labels {{ key: "stable" value: 2 }}
    version_labels {{ key: "canary" value: 2 }}
  }}"""
SUMS = ((9, 9), (9, 8), (9, 7), (8, 8))
VECTOR = TensorSpec("DT_FLOAT", (-1,))


def model_config(folder, *names):
    """Returns a model config with version 2 of each model."""
    entries = (ENTRY.format(name=name, base=folder / name) for name in names)
    return f"model_config_list {{{''.join(entries)}\n}}\n"


def write_golden(folder, *lines, version=2):
    """Writes golden requests of a version below the folder of a model."""
    path = folder / str(version) / "assets.extra" / golden.FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def doubling(**parameters):
    """A fake server of model `doubles`, whose version 2 doubles numbers."""
    signature = FakeSignature(
        lambda inputs: [2 * value for value in inputs["x"].tolist()], {"x": VECTOR}, {"y": VECTOR}
    )
    labels = {"stable": 2, "canary": 2}
    options = {"versions": [2], "labels": labels, "model": "doubles"} | parameters
    return FakeServer(**{"signatures": {"serving_default": signature}} | options)
