"""Trains a model that estimates the price of a flat from four columns, and exports it.

    python examples/price/train.py --to models/price/1

Inputs: `area` in square metres and `distance` to the centre in kilometres (float), `rooms` and
`year` of construction (int). Output: `price` in thousands. `--seed` makes another version,
`--rename-rooms` one that breaks current callers.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

import keras
import numpy as np

FLATS = 4096


def flats(seed: int) -> tuple[dict[str, Any], Any]:
    """Returns columns of generated flats, and their prices with some noise."""
    random = np.random.default_rng(seed)
    area = random.uniform(20, 200, FLATS)
    distance = random.uniform(0, 30, FLATS)
    rooms = np.clip(area / 25 + random.normal(0, 1, FLATS), 1, 8).astype("int64")
    year = random.integers(1900, 2026, FLATS)
    price = area * (9 - 0.15 * distance) + 10 * rooms + 0.8 * (year - 1900)
    columns = {
        "area": area.astype("float32"),
        "distance": distance.astype("float32"),
        "rooms": rooms,
        "year": year,
    }
    return columns, price * random.normal(1, 0.02, FLATS)


def train(*, seed: int, rename_rooms: bool) -> keras.Model:
    """Returns a trained model from named columns to prices."""
    keras.utils.set_random_seed(seed)
    columns, price = flats(seed)
    if rename_rooms:
        columns["room_count"] = columns.pop("rooms")

    inputs = {name: keras.Input((), dtype=str(c.dtype), name=name) for name, c in columns.items()}
    scaled = [keras.ops.cast(inputs[name], "float32") for name in columns]
    means = [float(column.mean()) for column in columns.values()]
    scales = [float(column.std()) for column in columns.values()]
    hidden = (keras.ops.stack(scaled, -1) - np.array(means, "float32")) / np.array(
        scales, "float32"
    )
    for _ in range(2):
        hidden = keras.layers.Dense(32, activation="gelu")(hidden)
    relative = keras.layers.Dense(1)(hidden)
    estimate = keras.ops.squeeze(relative, -1) * float(price.std()) + float(price.mean())
    model = keras.Model(inputs, {"price": estimate})

    model.compile(keras.optimizers.Adam(0.01), "mae")
    model.fit(columns, {"price": price}, batch_size=256, epochs=20, verbose=0)
    return model


def main() -> None:
    """Trains and exports a version."""
    parser = argparse.ArgumentParser(description="Trains a model of flat prices and exports it.")
    parser.add_argument("--to", type=Path, required=True, help="version folder, such as .../1")
    parser.add_argument("--seed", type=int, default=0, help="seed of data and weights (default: 0)")
    parser.add_argument("--rename-rooms", action="store_true", help="make a bad version")
    given = parser.parse_args()
    if given.to.exists():
        parser.error(f"{given.to} already exists: choose another version number")

    model = train(seed=given.seed, rename_rooms=given.rename_rooms)
    # A server must not find a half-written version: it ignores names that are not numbers.
    unfinished = given.to.with_name(f"{given.to.name}.unfinished")
    model.export(unfinished, verbose=False)
    unfinished.rename(given.to)
    print(f"exported {given.to}")


if __name__ == "__main__":
    main()
