"""Errors that end a command with one line and no traceback."""

from __future__ import annotations


class UserError(Exception):
    """An error that the user can fix; the message says how."""


class Diverged(UserError):
    """The training loss is not finite; resuming would not help."""


class Interrupted(UserError):
    """Ctrl-C or SIGTERM stopped work that can be resumed; the message says how."""
