"""Trains a classifier of product reviews, and exports it with its text processing inside.

    python examples/sentiment/train.py --to models/sentiment/1

The SavedModel takes strings, `{"text": [...]}`, and returns `{"score": [...]}`: near 1 for praise,
near 0 for complaints. `--ngrams 2` makes a better version, which understands "not great", and
`--flip-labels` a bad one, as if somebody had swapped the labels.
"""

from __future__ import annotations

import argparse
import itertools
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

import keras
import tensorflow as tf

THINGS = ("product", "phone", "camera", "battery", "book", "film", "coffee", "service")
GOOD = ("great", "good", "lovely", "excellent", "perfect", "wonderful", "brilliant", "superb")
BAD = ("bad", "awful", "terrible", "poor", "useless", "broken", "horrible", "dreadful")
PLAIN = (
    "{word} {thing}",
    "this {thing}: simply {word}",
    "the {thing} is {word}",
    "what a {word} {thing}",
)
NEGATED = ("the {thing} is not {word}",)


def reviews() -> tuple[list[str], list[float]]:
    """Returns texts, and 1.0 or 0.0 for each: praise or a complaint."""
    texts, praise = [], []
    for thing, (words, good), (forms, kept) in itertools.product(
        THINGS, ((GOOD, True), (BAD, False)), ((PLAIN, True), (NEGATED, False))
    ):
        for word, form in itertools.product(words, forms):
            texts.append(form.format(word=word, thing=thing))
            praise.append(float(good == kept))
    return texts, praise


def train(*, ngrams: int, flip_labels: bool, seed: int) -> keras.Model:
    """Returns a trained model from strings to scores."""
    keras.utils.set_random_seed(seed)
    texts, praise = reviews()
    if flip_labels:
        praise = [1 - each for each in praise]

    words = keras.layers.TextVectorization(ngrams=ngrams, output_mode="multi_hot")
    words.adapt(texts)
    text = keras.Input((), dtype="string", name="text")
    score = keras.layers.Dense(1, activation="sigmoid")(words(text))
    model = keras.Model({"text": text}, {"score": keras.ops.squeeze(score, -1)})

    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy")
    model.fit({"text": tf.constant(texts)}, {"score": tf.constant(praise)}, epochs=10, verbose=0)
    return model


def main() -> None:
    """Trains and exports a version."""
    parser = argparse.ArgumentParser(description="Trains a classifier of reviews and exports it.")
    parser.add_argument("--to", type=Path, required=True, help="version folder, such as .../1")
    parser.add_argument("--ngrams", type=int, default=1, help="words read together (default: 1)")
    parser.add_argument("--flip-labels", action="store_true", help="make a bad version")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights (default: 0)")
    given = parser.parse_args()
    if given.to.exists():
        parser.error(f"{given.to} already exists: choose another version number")

    model = train(ngrams=given.ngrams, flip_labels=given.flip_labels, seed=given.seed)
    # A server must not find a half-written version: it ignores names that are not numbers.
    unfinished = given.to.with_name(f"{given.to.name}.unfinished")
    model.export(unfinished, verbose=False)
    unfinished.rename(given.to)
    print(f"exported {given.to}")


if __name__ == "__main__":
    main()
