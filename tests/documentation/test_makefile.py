"""The Makefile: every phony target has a rule, without which `make` does nothing and succeeds."""

from __future__ import annotations

import re

from support.paths import ROOT


def test_every_phony_target_has_a_rule():
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    [phony] = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    rules = re.findall(r"^([a-z0-9-]+):(?!=)", text, re.MULTILINE)
    assert sorted(phony.split()) == sorted(rules)
