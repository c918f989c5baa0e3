"""Waits until every replica is in the state that a step expects."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.replicas import Replicas
from seq2sum_serving.deployment.state import LABELS, Replica

POLL_INTERVAL = 0.1
"""Seconds between two observations while a step waits. A server loads or unloads versions at the
same interval (aspired_versions_manager.h in tensorflow/serving)."""
LOG_INTERVAL = 5.0
"""Seconds between two log lines while a step waits."""

Log = Callable[[str], None]
"""Receives progress, one line at a time."""


@dataclass(slots=True)
class Wait:
    """Waits for a group of servers."""

    config: ModelConfigFile
    replicas: Replicas
    log: Log
    max_down: float = float("inf")
    """Seconds that a replica may be down in all during one wait. A server that is killed while it
    loads a version, for example because it takes too much memory, is often restarted at once, and
    would be killed again and again until the timeout."""
    reload_errors: Mapping[str, str] = field(default_factory=dict)
    """Errors of the last reload by replica."""

    def until_nothing_is_missing(
        self, missing: Callable[[Replica], str], timeout: float, *, allow_down: bool
    ) -> None:
        """Polls until nothing is missing on any replica.

        Raises:
            Failed: A version failed to load, a replica was down too long, or the timeout passed.
        """
        start = logged = last = time.monotonic()
        down_seconds: dict[str, float] = {}
        while True:
            replicas = self.replicas.observe((*LABELS, *self.config.read().labels))
            states = {replica.target: missing(replica) for replica in replicas if replica.up}
            now = time.monotonic()
            if not allow_down:
                down = [replica for replica in replicas if not replica.up]
                states |= {replica.target: f"does not answer: {replica.error}" for replica in down}
                for replica in down:
                    seconds = down_seconds.get(replica.target, 0.0) + now - last
                    down_seconds[replica.target] = seconds
                    if seconds > self.max_down:
                        raise Failed(_stopped(replica, seconds))
            last = now
            waiting = [f"{target}: {state}" for target, state in states.items() if state]
            if not waiting:
                return
            if now - start > timeout:
                raise Failed(
                    f"timed out after {timeout:g} s ({'; '.join(waiting)}). {self._hint()} "
                    "See `status` for every replica, and the servers' logs"
                )
            if now - logged >= LOG_INTERVAL:
                logged = now
                self.log(f"  {now - start:.0f} s: {'; '.join(waiting)}")
            time.sleep(POLL_INTERVAL)

    def _hint(self) -> str:
        """Returns a possible cause for replicas that do not follow."""
        if self.reload_errors:
            return " ".join(f"{target} {error}." for target, error in self.reload_errors.items())
        for model, path in self.config.other_base_paths().items():
            if not path.is_dir():
                return (
                    f"Does {path} exist, the base path of model {model!r}? While a base path "
                    "is missing, a server finds no new version of any model."
                )
        return (
            f"Do the servers read {self.config.path}, and poll it "
            "(--model_config_file_poll_wait_seconds)?"
        )


def _stopped(replica: Replica, seconds: float) -> str:
    return (
        f"{replica.target} did not answer for {seconds:.0f} s while it was waited for "
        f"({replica.error}): it was killed, hangs, or ran out of memory. See its log, and its "
        "memory limit"
    )
