"""Settings of the recipe that most tests train."""

from __future__ import annotations

SETTINGS = (
    "digits=1",
    "data.held_out=0.001",
    "network.encoder=32",
    "network.decoder=32",
    "fit.steps=500",
    "fit.learning_rate=3e-2",
)
"""The default recipe on one-digit sums: quick, and right on all 100 of them."""


def overrides(*settings: str) -> list[str]:
    """Settings as `--set` options."""
    return [part for setting in settings for part in ("--set", setting)]
