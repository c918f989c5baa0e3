"""Starts a version as the embedded server does, and prints the CPU seconds of each stage as JSON.

python -m benchmarks.startup.stages VERSION_FOLDER
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

LIBRARY = "tensorflow.python.pywrap_tensorflow"


def main(version: str) -> int:
    """Runs all stages; prints a JSON object of CPU seconds by stage, in order."""
    seconds = {"interpreter": time.process_time()}
    gc.disable()

    def stage(name: str, run: Callable[[], object]) -> None:
        before = time.process_time()
        run()
        seconds[name] = time.process_time() - before

    def modules(*names: str) -> Callable[[], object]:
        return lambda: [import_module(f"seq2sum_serving.embedded.{name}") for name in names]

    stage("command line", modules("cli"))
    stage("configuration, gRPC", modules("startup", "rpc.native_support", "rpc.credentials"))
    from seq2sum_serving.embedded import partial_tensorflow

    partial_tensorflow.install()
    stage("numpy", lambda: import_module("numpy"))
    stage("TensorFlow's libraries", lambda: import_module(LIBRARY))
    stage("TensorFlow's Python modules", modules("inference.tensorflow_parts"))
    stage("server's modules", modules("server"))
    gc.enable()
    from seq2sum_serving.embedded.inference import saved_model
    from seq2sum_serving.embedded.inference.options import InferenceOptions
    from seq2sum_serving.embedded.inference.warmup import warm_up

    before = time.process_time()
    loaded = saved_model.load(version)
    seconds["load"] = time.process_time() - before
    number = int(Path(version).name)
    stage("warm-up", lambda: warm_up(loaded, version, version=number, options=InferenceOptions()))
    print(json.dumps({name: round(spent, 4) for name, spent in seconds.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
