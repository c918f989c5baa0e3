"""Predicts the price of every flat in a file with several processes, or machines, of Ray Data.

    pip install ./client 'ray[data]'
    python examples/bulk/predict_with_ray.py flats.csv prices --processes 4

Each actor has its own client. Ray distributes the rows over the actors, and the actors over the
machines of its cluster, so this is for files that one machine takes too long to read and send.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray
import seq2sum


class Predictor:
    """An actor that sends batches to the server.

    Args:
        target: The server.
    """

    def __init__(self, target: str) -> None:
        self._client = seq2sum.ModelClient(target, model="price")

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Returns the batch with a further column, `price`."""
        return batch | {"price": np.asarray(self._client.predict(batch)["price"])}


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description="Predicts the prices of a file with Ray Data.")
    parser.add_argument("source", type=Path, help="CSV file of flats, or a folder of them")
    parser.add_argument("to", type=Path, help="folder for CSV files of flats with prices")
    parser.add_argument("--target", default="localhost:8500", help="server")
    parser.add_argument("--processes", type=int, default=2, help="actors (default: 2)")
    given = parser.parse_args()

    ray.init(include_dashboard=False, log_to_driver=False)
    start = time.perf_counter()
    # Several blocks for each actor: Ray reads a small file as one block, for one actor.
    flats = ray.data.read_csv(str(given.source), override_num_blocks=4 * given.processes)
    priced = flats.map_batches(
        Predictor,
        fn_constructor_args=[given.target],
        batch_size=4096,
        compute=ray.data.ActorPoolStrategy(size=given.processes),
        num_cpus=0.1,  # it mostly waits; whole cores for all of them would leave none for reading
    ).materialize()
    seconds = time.perf_counter() - start
    priced.write_csv(str(given.to))
    rows = priced.count()
    print(f"{rows:,} rows in {seconds:.1f} s: {rows / seconds:,.0f} rows/s")


if __name__ == "__main__":
    main()
