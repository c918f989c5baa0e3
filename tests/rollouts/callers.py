"""Callers who ask all the while, as an application does: by the SDK, sharing out by the file.

They ask single questions, each for a user of a thousand, and write down what came of every call.
The client makes no second attempt: what fails is seen.
"""

from __future__ import annotations

import json
import random
import time
from functools import partial
from pathlib import Path

import seq2sum
from asking_threads import AskingThreads
from rollouts.ledger import Call, Ledger
from rollouts.world import World

THREADS = 8
USERS = 1000
LOOK_SECONDS = 0.25
"""Between two looks at the weights: a step of a rollout lasts seconds here, and not minutes."""


class Callers(AskingThreads):
    """Threads with a client between them; they ask from `__enter__` to `__exit__`.

    Args:
        world: Whom they ask.
        version: A version's folder; they ask its golden questions.
    """

    def __init__(self, world: World, version: Path) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.began = time.time()
        known = json.loads((version / "assets.extra" / "golden.json").read_bytes())
        self._questions = list(zip(known["questions"], known["answers"], strict=True))
        self._client = seq2sum.Client(
            list(world.targets),
            split=seq2sum.SplitFile(world.traffic, every=LOOK_SECONDS),
            retry=seq2sum.Retry(attempts=1),
        )

    def works(self):
        return [partial(self._ask, random.Random(number)) for number in range(THREADS)]

    def close(self) -> None:
        self._client.close()

    @property
    def asking(self) -> bool:
        """Whether they have not been told to end."""
        return not self.over.is_set()

    def _ask(self, chance: random.Random) -> None:
        while self.asking:
            question, true = chance.choice(self._questions)
            user = f"user {chance.randrange(USERS)}"
            begin = time.time()
            try:
                answer = self._client.add(question, key=user)
            except Exception as error:  # noqa: BLE001 whatever it is, the call failed
                self.ledger.add(Call(begin, time.time(), error=repr(error)))
            else:
                right = answer.text == true
                self.ledger.add(Call(begin, time.time(), answer.version, right))
