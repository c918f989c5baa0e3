"""What a user can mend, or has asked for."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in a recipe, a folder or a command line; the message says what to do."""


class Interrupted(UserError):
    """Ctrl-C or SIGTERM while something can be gone on with; the message says how."""
