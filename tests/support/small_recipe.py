"""Recipe settings for tests on one-digit questions."""

from __future__ import annotations

SETTINGS = (
    "digits=1",
    "data.held_out=0.001",
    "network.encoder=32",
    "network.decoder=32",
    "fit.steps=500",
    "fit.learning_rate=3e-2",
)
"""For `default`: trains quickly and answers all 100 questions right."""
POLISH_SETTINGS = (
    "digits=1",
    "data.held_out=0.2",
    "network.encoder=12",
    "network.decoder=12",
    "fit.steps=300",
    "fit.warm_up=20",
    "mining.begin=100",
    "mining.every=50",
    "mining.search=500",
    "mining.hardest=20",
    "polish.rounds=2",
    "polish.steps=100",
    "polish.hardest=20",
    "polish.attempts=1",
    "polish.largest_loss=1e-6",
)
"""For `fast`: no check is clean, so training runs through all rounds of polish."""


def overrides(*settings: str) -> list[str]:
    """Returns settings as `--set` options."""
    return [part for setting in settings for part in ("--set", setting)]
