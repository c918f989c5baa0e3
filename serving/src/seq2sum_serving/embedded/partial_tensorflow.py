"""Lets the server import parts of TensorFlow without the whole package.

`tensorflow/__init__.py` imports Keras, TensorFlow Lite and everything else that a program may use:
most of the server's start-up time, and 140 MB of memory. The server needs the session and a few
functions around it, which `inference/tensorflow_parts.py` names.
"""

from __future__ import annotations

import importlib.util
import os
import site
import sys
from pathlib import Path

PACKAGE = "tensorflow"
PLUGIN_FOLDER = "tensorflow-plugins"
PLUGIN_VARIABLE = "TF_PLUGGABLE_DEVICE_LIBRARY_PATH"


def install() -> bool:
    """Makes `tensorflow` a package whose own `__init__` has not run; returns whether it did.

    Its modules are imported as usual. The process gets no public API of TensorFlow, so call it only
    if the process runs nothing but the server. Does nothing if the package is already imported, not
    installed, or needed as a whole.
    """
    if PACKAGE in sys.modules or has_plugins():
        return False
    spec = importlib.util.find_spec(PACKAGE)  # does not import a package without parents
    if spec is None or spec.submodule_search_locations is None:
        return False
    module = importlib.util.module_from_spec(spec)
    # What `tensorflow/__init__.py` sets before it imports anything.
    os.environ["TF2_BEHAVIOR"] = "1"
    sys.modules[PACKAGE] = module
    return True


def has_plugins() -> bool:
    """Returns whether plugins for further devices are installed: only the package loads them."""
    folders = {*sys.path, *site.getsitepackages(), site.getusersitepackages()}
    return bool(os.environ.get(PLUGIN_VARIABLE)) or any(
        Path(folder, PLUGIN_FOLDER).is_dir() for folder in folders
    )
