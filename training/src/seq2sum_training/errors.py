"""The one error for what a user can mend."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in a recipe, a folder or a command line; the message says what to do."""
