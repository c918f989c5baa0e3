"""The model card of a version: its title names the number under which it is published."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path

PLACE = Path("assets.extra", "model_card.md")
"""Where `seq2sum-train export` puts the card, in a version folder."""
TITLE = re.compile(rb"\A(# [^\r\n]*, version )[0-9]+(?=[ \t\r]*$)", re.MULTILINE)
"""The card's first line up to the number of the version."""


def renumber(path: Path, version: int) -> None:
    """Writes `version` into the card's title; a missing card or another title stays as it is."""
    with suppress(FileNotFoundError):
        card = path.read_bytes()
        renumbered = TITLE.sub(rb"\g<1>%d" % version, card)
        if renumbered != card:
            partial = path.with_name(f"partial.{path.name}")
            partial.write_bytes(renumbered)
            shutil.copystat(path, partial)
            partial.replace(path)  # a card of mode 0444 cannot be written in place
