"""Short texts for the details of an event: `golden Successful: 1000 of 1000 correct`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2sum_serving.deployment.event_log import Event, EventKind

RESULT_FIELDS = ("gate", "verdict", "message")
"""Details of a measurement that are not measured values."""
SIGNIFICANT_DIGITS = 4
"""Of a measured value; JSON has all digits."""


def summarize_details(event: Event) -> str:
    """Returns an event's details in a few words; empty if it has none."""
    details = event.details
    match event.kind:
        case EventKind.MEASUREMENT:
            found = measurement_text(details)
            result = f"{details.get('gate', '?')} {details.get('verdict', '?')}"
            return f"{result}: {found}" if found else result
        case EventKind.WEIGHTS_SET:
            return " ".join(f"{label} {trim(weight)}" for label, weight in details.items())
        case EventKind.STEP_STARTED if {"weight", "seconds"} <= details.keys():
            return f"weight {trim(details['weight'])} for {trim(details['seconds'])} s"
        case EventKind.VERSIONS_SET if "versions" in details:
            return format_value(details["versions"])
        case EventKind.RUN_ENDED if "outcome" in details:
            return format_value(details["outcome"])
    return _pairs(details, separator=" ")


def measurement_text(details: Mapping[str, Any]) -> str:
    """Returns the message of a measurement; its values if it has no message."""
    values = {name: value for name, value in details.items() if name not in RESULT_FIELDS}
    return str(details.get("message", "")) or _pairs(values)


def format_value(value: Any) -> str:
    """Formats a value for display. Floats keep a decimal point, which counts do not have."""
    match value:
        case float():
            text = f"{value:.{SIGNIFICANT_DIGITS}g}"
            return f"{text}.0" if value.is_integer() and text.lstrip("-").isdigit() else text
        case None:
            return "none"
        case list() | tuple() | set() | frozenset():
            return ", ".join(map(format_value, value))
        case Mapping():
            return _pairs(value)
    return str(value)


def trim(value: Any) -> str:
    """Formats a weight or a duration, without a decimal point if it is whole."""
    return f"{value:g}" if isinstance(value, int | float) else format_value(value)


def _pairs(details: Mapping[str, Any], *, separator: str = ", ") -> str:
    return separator.join(f"{name} {format_value(value)}" for name, value in details.items())
