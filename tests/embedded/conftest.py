"""Fixtures of the embedded server's tests."""

from __future__ import annotations

import pytest
from support import browser, system


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A browser, for the tests of the page."""
    assert browser.EXECUTABLE, f"Chromium is missing: {system.INSTALL_COMMAND}"
    chromium = browser.Browser(tmp_path_factory.mktemp("browser"))
    yield chromium
    chromium.close()
