"""Predicts the price of every flat in a file: a stream of RPCs, in order, in bounded memory.

    python examples/bulk/predict_file.py flats.csv prices.csv --generate 1000000

The model is the one of `examples/price`. The standard library and seq2sum are enough.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import seq2sum

COLUMNS = {"area": float, "distance": float, "rooms": int, "year": int}
"""The model's inputs, in the order of the file's columns."""


def generate(path: Path, rows: int) -> None:
    """Writes a file of random flats."""
    draw = random.Random(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for _ in range(rows):
            area, distance = 20 + 180 * draw.random(), 30 * draw.random()
            year = 1900 + int(126 * draw.random())
            writer.writerow([f"{area:.1f}", f"{distance:.1f}", 1 + int(area / 30), year])


def batches(path: Path, size: int) -> Iterator[dict[str, list[float]]]:
    """Yields the columns of `size` rows at a time.

    Raises:
        ValueError: A line does not have the columns, or a value is not a number.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        if next(reader, []) != list(COLUMNS):
            raise ValueError(f"{path}:1: expected the columns {','.join(COLUMNS)}")
        while rows := list(islice(reader, size)):
            try:
                columns = zip(*rows, strict=True)
                yield {
                    name: [number(text) for text in column]
                    for (name, number), column in zip(COLUMNS.items(), columns, strict=True)
                }
            except ValueError as error:
                first = reader.line_num - len(rows) + 1
                raise ValueError(f"{path}:{first}-{reader.line_num}: {error}") from error


def predict(source: Path, to: Path, client: seq2sum.ModelClient, size: int) -> int:
    """Writes a price for each row of a file; returns the number of rows."""
    rows = 0
    with to.open("w", encoding="utf-8") as out:
        out.write("price\n")
        for prediction in client.predict_stream(batches(source, size)):
            prices = prediction["price"].tolist()
            out.writelines(f"{price:.1f}\n" for price in prices)
            rows += len(prices)
    return rows


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description="Predicts the price of every flat in a file.")
    parser.add_argument("source", type=Path, help="CSV file of flats")
    parser.add_argument("to", type=Path, help="file to write, one price a line")
    parser.add_argument("--target", default="localhost:8500", help="server")
    parser.add_argument("--batch-size", type=int, default=4096, help="rows in an RPC")
    parser.add_argument("--generate", type=int, metavar="ROWS", help="write the source first")
    given = parser.parse_args()
    if given.generate:
        generate(given.source, given.generate)

    start = time.perf_counter()
    try:
        with seq2sum.ModelClient(given.target, model="price") as client:
            rows = predict(given.source, given.to, client, given.batch_size)
    except (ValueError, OSError, seq2sum.CallError) as error:
        parser.exit(1, f"predict_file: {error}\n")
    seconds = time.perf_counter() - start
    print(f"{rows:,} rows in {seconds:.1f} s: {rows / seconds:,.0f} rows/s")


if __name__ == "__main__":
    main()
