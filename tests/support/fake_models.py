"""Signatures of a fake model that is not seq2sum, and a fake server with them."""

from __future__ import annotations

from seq2sum import TensorSpec
from seq2sum.testing import FakeServer, FakeSignature

FLOATS, STRINGS = TensorSpec("DT_FLOAT", (-1,)), TensorSpec("DT_STRING", (-1,))
LENGTHS = FakeSignature(
    lambda inputs: [float(len(text)) for text in inputs["text"].strings],
    {"text": STRINGS},
    {"score": FLOATS},
)
PRICE = FakeSignature(
    lambda inputs: {
        "price": [size * 4.0 for [size] in inputs["size"]],
        "rooms": inputs["rooms"],
    },
    {"size": TensorSpec("DT_FLOAT", (-1, 1)), "rooms": TensorSpec("DT_INT32", (-1,))},
    {"price": FLOATS, "rooms": TensorSpec("DT_INT32", (-1,))},
)
RENAMED = FakeSignature(lambda inputs: inputs["words"], {"words": STRINGS}, {"echo": STRINGS})
"""An input and an output of other names than those of `LENGTHS`."""


def any_model_server():
    """Returns a fake server of the model `any`, whose version 1 has the label `old`."""
    signatures = {"serving_default": LENGTHS, "price": PRICE}
    return FakeServer(model="any", signatures=signatures, labels={"old": 1})
