"""Generates the input of a case from its seed and number alone."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.generators import http, other_calls, predict, rest
from fuzz.generators.seeded_random import SeededRandom
from fuzz.inputs import Case, Input

GENERATORS: dict[str, Callable[[SeededRandom], Input]] = {
    "predict": predict.any_signature,
    "predict-echo": predict.echo,
    "examples": other_calls.examples,
    "lookups": other_calls.lookups,
    "wire-bytes": other_calls.wire_bytes,
    "rest-predict": rest.predict,
    "rest-echo": rest.echo,
    "rest-examples": rest.examples,
    "json-texts": rest.texts,
    "rest-paths": rest.paths,
    "http": http.conversation,
    "grpc-noise": http.grpc_noise,
}
WEIGHTS = {
    "predict": 6,
    "predict-echo": 6,
    "examples": 3,
    "lookups": 1,
    "wire-bytes": 3,
    "rest-predict": 5,
    "rest-echo": 5,
    "rest-examples": 3,
    "json-texts": 4,
    "rest-paths": 1,
    "http": 3,
    "grpc-noise": 1,
}


def case(seed: int, number: int, kinds: frozenset[str] = frozenset(GENERATORS)) -> Case | None:
    """Returns one case; None if its kind is excluded."""
    rng = SeededRandom(f"{seed}/{number}")
    kind = rng.weighted(WEIGHTS)
    if kind not in kinds:
        return None
    return Case(seed, number, kind, GENERATORS[kind](rng))
