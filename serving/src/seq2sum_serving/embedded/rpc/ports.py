"""Moved: `seq2sum_serving.embedded.ports`."""

from seq2sum_serving.embedded.ports import address

__all__ = ["address"]
