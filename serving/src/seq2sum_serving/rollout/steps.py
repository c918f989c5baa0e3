"""The steps of a run: the candidate's shares, one after the other. Pure."""

from __future__ import annotations

from seq2sum_serving.deployment.routers.router import NO_SHARES, Router, Shares
from seq2sum_serving.gates.policy import GatePolicy


def steps(policy: GatePolicy, router: Router) -> list[Shares]:
    """Returns the shares of the steps of a run, one after the other."""
    if not router.moves_traffic:
        return [NO_SHARES]
    mirror = float(policy.traffic.mirror) if router.can_mirror else 0.0
    shadow = [Shares(mirror=mirror)] if mirror else []
    return [*shadow, *(Shares(float(weight)) for weight in policy.traffic.steps)]


def format_step(shares: Shares) -> str:
    """Formats a step as `step at weight 5 %`, or what it has instead of a weight."""
    if shares.mirror:
        return f"step with copies of {shares.mirror:g} % of the calls"
    return f"step at weight {shares.candidate:g} %" if shares.candidate else "step without traffic"
