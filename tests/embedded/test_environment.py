"""The environment that the server starts itself again with."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded import environment

TUNED = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}


@pytest.mark.parametrize("encoding", ["ascii", "ANSI_X3.4-1968", "latin-1"])
def test_file_names_are_utf_8_in_every_locale(encoding):
    for before in ({}, {"PYTHONUTF8": "0", "LC_ALL": "C"}):
        wanted = environment.wanted({**TUNED, **before}, encoding)
        assert wanted == {**TUNED, **before, "PYTHONUTF8": "1"}


def test_nothing_changes_where_names_are_utf_8():
    assert environment.wanted({**TUNED, "LANG": "C"}, "utf-8") == {**TUNED, "LANG": "C"}


def test_what_was_changed_is_not_changed_again():
    """Else the process would start itself for ever."""
    once = environment.wanted({}, "ascii")
    assert environment.wanted(once, "ascii") == once
