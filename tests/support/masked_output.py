"""Masks the parts of printed text that differ from run to run."""

from __future__ import annotations

import re


def mask_run_dependent(text: str) -> list[str]:
    """Returns the lines of a text with everything that differs from run to run replaced."""
    text = re.sub(r"demo-\d{8}-\d{6}", "demo-…", text)
    text = re.sub(r"confidence([ =])0\.\d+", r"confidence\g<1>…", text)
    text = re.sub(r"in \d+ s \(\d+ CPU-seconds", "in … s (… CPU-seconds", text)
    text = re.sub(r"largest loss is 0\.\d+", "largest loss is …", text)
    text = re.sub(r"errors \d+ of", "errors … of", text)
    text = re.sub(r"1,0[56]\d of 1,060", "1,0… of 1,060", text)
    # Bars: the chosen characters are the same in every run, their probabilities are not.
    text = re.sub(r"^(  \d  \S)  [01]\.\d{4}.*$", r"\1  …", text, flags=re.MULTILINE)
    text = re.sub(r"^     \S  [01]\.\d{4}.*\n", "", text, flags=re.MULTILINE)
    return [line.rstrip() for line in text.strip().splitlines()]
