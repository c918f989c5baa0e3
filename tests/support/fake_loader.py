"""A fake loader and a fake servable."""

from __future__ import annotations

from seq2sum_serving.embedded.errors import Code, ServingError


class FakeServable:
    """Records its path and whether it was closed."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.closed = False

    def close(self) -> None:
        self.closed = True


class FakeLoader:
    """Loads any path that does not contain `broken`."""

    def __init__(self) -> None:
        self.loaded: list[FakeServable] = []
        self.attempts = 0
        self.failures_to_come = 0

    def __call__(self, model: str, version: int, path: str) -> FakeServable:  # noqa: ARG002
        self.attempts += 1
        self.failures_to_come -= 1
        if "broken" in path or self.failures_to_come >= 0:
            raise ServingError(Code.NOT_FOUND, f"no model in {path}")
        servable = FakeServable(path)
        self.loaded.append(servable)
        return servable
