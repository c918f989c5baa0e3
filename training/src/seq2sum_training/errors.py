"""What a user can mend, or has asked for."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in a recipe, a folder or a command line; the message says what to do."""


class Astray(UserError):
    """Training has left the numbers: going on would not help."""


class Interrupted(UserError):
    """Ctrl-C or SIGTERM while something can be gone on with; the message says how."""
