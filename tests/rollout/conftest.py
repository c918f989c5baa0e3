"""Fixtures of rollout tests."""

from __future__ import annotations

import time

import pytest


@pytest.fixture
def two_hours_east(monkeypatch):
    """Sets the local time zone to UTC+2."""
    monkeypatch.setenv("TZ", "EAST-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
