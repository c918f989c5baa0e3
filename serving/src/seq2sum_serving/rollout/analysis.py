"""A version put to its gates: what it says, what it answers, how fast, beside the stable one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import seq2sum

from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.deployment.model_store import read_contract
from seq2sum_serving.deployment.replicas import error_text
from seq2sum_serving.deployment.state import CANARY, STABLE
from seq2sum_serving.gates import contract, exported, golden, latency, live, memory
from seq2sum_serving.gates.golden import Golden
from seq2sum_serving.gates.live import LiveMetrics, ProbeResults
from seq2sum_serving.gates.measurement import Measurement, overall
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus, QueryFailed
from seq2sum_serving.gates.policy import GatePolicy
from seq2sum_serving.rollout.executor import Deployment

Ended = Callable[[], bool]
"""Whether what is watched has come to an end for another reason."""


class Inspection:
    """The gates of one version of a deployment.

    Args:
        deployment: Where the version is, or is to be.
        version: The version that is judged.
        stable: The one that it is compared with.
        policy: The limits.
        prometheus: Whom to ask for live figures; None if nobody is.
        folder: The files of a version that is not below the base path yet.
    """

    def __init__(
        self,
        deployment: Deployment,
        version: int,
        stable: int,
        policy: GatePolicy,
        prometheus: Prometheus | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        self._deployment = deployment
        self._version = version
        self._stable = stable
        self._policy = policy
        self._prometheus = prometheus
        self._folder = folder or deployment.base.folder(version)

    def on_disk(self) -> list[Measurement]:
        """Before it is loaded: what its files say."""
        told = read_contract(self._folder)
        stable = read_contract(self._deployment.base.folder(self._stable))
        self._golden  # noqa: B018 what could not be asked later is told now
        # The contract comes last: when it is in the history, the run has passed all of these.
        return [exported.judge(told, stable, self._policy.golden), contract.judge(told, stable)]

    def without_changes(self) -> list[Measurement]:
        """Asks the gates that need no change: those of the files, and the others if it is loaded.

        Raises:
            RolloutError: A gate cannot be asked.
        """
        results, memory = self.on_disk(), self.memory()
        if overall(results) is Verdict.FAILED:
            return results
        if self._deployment.observe().available_everywhere(self._version):
            results += self.loaded(memory)
        return results

    def memory(self) -> float | None:
        """Bytes of the servers, where the policy says how to ask."""
        query = self._policy.memory.query
        return self._prometheus.value(query) if self._prometheus and query else None

    def loaded(self, memory_before: float | None) -> list[Measurement]:
        """Beside the stable version, before it has traffic."""
        clients = self._deployment.fleet.clients()
        results = worst({target: self._answers(one) for target, one in clients.items()})
        if overall(results) is Verdict.FAILED:
            return results
        [client, *_] = clients.values()
        results.append(self._latency(client))
        results.append(memory.judge(memory_before, self.memory(), self._policy.memory))
        return results

    def bake(
        self,
        seconds: float,
        ended: Ended,
        told: Callable[[ProbeResults], None],
        *,
        ago: float = 0.0,
    ) -> list[Measurement]:
        """With traffic: both labels are asked in turn, on one replica after the other.

        Args:
            seconds: How long.
            ended: Looked at once a second.
            told: Shown what was seen so far once a second.
            ago: Seconds since the version got its first traffic, when this begins.
        """
        questions = self._golden
        seen = ProbeResults()
        pause = 1 / self._policy.live.probes_per_second
        began = looked = time.monotonic()
        asked = 0
        while time.monotonic() < began + seconds:
            clients = list(self._deployment.fleet.clients().values())
            question = questions.questions[asked % len(questions.questions)]
            answer = questions.answers[asked % len(questions.answers)]
            for label in (CANARY, STABLE):
                probe(seen, clients[asked % len(clients)], label, question, answer)
            asked += 1
            if time.monotonic() - looked >= 1:
                looked = time.monotonic()
                told(seen)
                if ended():
                    break
            time.sleep(max(0.0, began + asked * pause - time.monotonic()))
        return live.judge(seen, self._policy, self._metrics(seconds, ago + seconds))

    def _metrics(self, seconds: float, ago: float) -> LiveMetrics | None:
        """What Prometheus says; where it does not answer, probes have to do."""
        if self._prometheus is None:
            return None
        try:
            return self._prometheus.live(self._deployment.model, seconds, ago=ago)
        except QueryFailed as error:
            self._deployment.tell(f"  judged by probes alone: {error}")
            return None

    @cached_property
    def _golden(self) -> Golden:
        """Read once: raises Failed if the version has none that can be used."""
        return golden.read(self._folder)

    def _answers(self, client: seq2sum.Client) -> list[Measurement]:
        questions = self._golden
        try:
            description = client.describe(version=self._version)
            signatures = contract.judge_live(description, client.describe(version=self._stable))
            if signatures.verdict is Verdict.FAILED:
                return [signatures]
            asked = list(questions.questions)
            answers = client.add_columns(asked, version=self._version).texts
            stable = client.add_columns(asked, version=self._stable).texts
        except seq2sum.Seq2SumError as error:
            raise Failed(
                f"{client.target} does not answer the golden questions: {error_text(error)}"
            ) from error
        judged = golden.judge(questions, answers, stable, self._policy)
        return [signatures, *judged]

    def _latency(self, client: seq2sum.Client) -> Measurement:
        def ask(version: int, questions: list[bytes]) -> None:
            client.add_columns(questions, version=version)

        ways: Mapping[str, Callable[[list[bytes]], None]] = {
            "candidate": partial(ask, self._version),
            "stable": partial(ask, self._stable),
        }
        samples = latency.measure(ways, self._golden.questions, self._policy.latency)
        return latency.judge(samples, self._policy.latency)


def worst(by_replica: Mapping[str, Sequence[Measurement]]) -> list[Measurement]:
    """One result for each gate: where replicas differ, the worst, and whose it is."""
    found: dict[str, Measurement] = {}
    for target, results in by_replica.items():
        for result in results:
            known = found.get(result.gate)
            if result.verdict is Verdict.SUCCESSFUL:
                found.setdefault(result.gate, result)
            elif known is None or known.verdict is Verdict.SUCCESSFUL:
                found[result.gate] = replace(result, message=f"{target}: {result.message}")
    return list(found.values())


def probe(
    seen: ProbeResults, client: seq2sum.Client, label: str, question: bytes, answer: str
) -> None:
    """One question with a label, and what came of it."""
    began = time.perf_counter()
    try:
        text = client.add(question, label=label).text
    except seq2sum.InvalidQuestion as error:
        text = str(error)
    except seq2sum.Seq2SumError as error:
        seen.record_error(label, error_text(error))
        return
    seconds = time.perf_counter() - began
    seen.record_answer(label, seconds, right=text == answer, text=f"{question.decode()} = {text}")
