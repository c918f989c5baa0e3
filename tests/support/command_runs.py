"""The `seq2sum` command in the process of a test, and a fake server whose calls fail."""

from __future__ import annotations

from seq2sum._command import main
from seq2sum.testing import FakeServer


def runner(server, capsys):
    """Returns a function that runs the command; it returns exit code, stdout and stderr."""

    def run(*line, target=server.target):
        code = main([*map(str, line), "--target", target])
        return code, *capsys.readouterr()

    return run


class Failing(FakeServer):
    """Fails calls with the given status codes; None for a call that succeeds."""

    def __init__(self, codes):
        super().__init__()
        self._codes = codes

    def _respond(self, method, request, context):
        if (code := next(self._codes, None)) is not None:
            self.fail(code)
        return super()._respond(method, request, context)
