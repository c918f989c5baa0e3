"""What belongs to an event, in short: `golden passed: 1000 of 1000 right`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2sum_serving.deployment.event_log import Event, EventKind

OF_A_GATE = ("gate", "verdict", "message")
"""What a gate's event holds besides what was measured."""
ENOUGH = 4
"""Significant digits of a figure; JSON has all of them."""


def short(event: Event) -> str:
    """An event's figures in a few words; empty if it has none."""
    figures = event.details
    match event.kind:
        case EventKind.MEASUREMENT:
            return _gate(figures)
        case EventKind.WEIGHTS_SET:
            return " ".join(f"{side} {weight(share)}" for side, share in figures.items())
        case EventKind.STEP_STARTED if {"weight", "seconds"} <= figures.keys():
            return f"weight {weight(figures['weight'])} for {weight(figures['seconds'])} s"
        case EventKind.VERSIONS_SET if "versions" in figures:
            return number(figures["versions"])
        case EventKind.RUN_ENDED if "outcome" in figures:
            return number(figures["outcome"])
    return pairs(figures, between=" ")


def pairs(figures: Mapping[str, Any], *, between: str = ", ") -> str:
    """Names and values."""
    return between.join(f"{name} {number(value)}" for name, value in figures.items())


def number(value: Any) -> str:
    """A value for a reader. Floats keep a point, so that they are told from counts."""
    match value:
        case float():
            text = f"{value:.{ENOUGH}g}"
            return f"{text}.0" if value.is_integer() and text.lstrip("-").isdigit() else text
        case None:
            return "none"
        case list() | tuple() | set() | frozenset():
            return ", ".join(map(number, value))
        case Mapping():
            return pairs(value)
    return str(value)


def weight(value: Any) -> str:
    """A weight, or seconds: whole ones without a point."""
    return f"{value:g}" if isinstance(value, int | float) else number(value)


def measured(figures: Mapping[str, Any]) -> str:
    """What a gate found: its text, or without one its figures."""
    found = {name: value for name, value in figures.items() if name not in OF_A_GATE}
    return str(figures.get("message", "")) or pairs(found)


def _gate(figures: Mapping[str, Any]) -> str:
    told = f"{figures.get('gate', '?')} {figures.get('verdict', '?')}"
    found = measured(figures)
    return f"{told}: {found}" if found else told
