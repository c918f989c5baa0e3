"""TensorFlow without its start-up chatter."""

from __future__ import annotations

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Imports TensorFlow and lets it look for devices, with stderr held back.

    Its C++ side tells of absent GPU drivers before its log level is set. If the import fails,
    what was held back is shown.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        failed = True
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()
            failed = False
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            if failed:
                held_back.seek(0)
                sys.stderr.write(held_back.read().decode(errors="replace"))


def note(text: str) -> None:
    """A line on stderr that is no error."""
    print(f"seq2sum-train: note: {text}", file=sys.stderr)
