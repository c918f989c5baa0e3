"""Completion of flags by a shell, with argcomplete."""

from __future__ import annotations

import argparse

from seq2sum_serving.embedded.flag_help import COMMAND
from seq2sum_serving.embedded.flags import FIELDS


def complete() -> None:
    """Prints the candidates for the command line that a shell asks about, and exits."""
    import argcomplete

    parser = argparse.ArgumentParser(prog=COMMAND, add_help=False, allow_abbrev=False)
    excluded = []
    for name, field in FIELDS.items():
        flag, text = f"--{name}", field.metadata["text"].replace("%", "%%")
        if field.type == "bool":
            parser.add_argument(flag, action="store_true", help=text)
        else:
            # The server reads `--name=value` only, so candidates end with `=`. The name alone is
            # what argcomplete looks up to complete the value.
            parser.add_argument(flag, f"{flag}=", help=text)
            excluded.append(flag)
    argcomplete.autocomplete(parser, exclude=excluded)
