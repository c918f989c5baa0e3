"""Assertions on the errors of the embedded server."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.errors import ServingError


def refusal(call, *arguments, **keywords):
    """Returns code and message of the ServingError that a call raises."""
    with pytest.raises(ServingError) as caught:
        call(*arguments, **keywords)
    return caught.value.code, caught.value.message
