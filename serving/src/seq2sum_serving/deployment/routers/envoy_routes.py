"""The routes of Envoy in front of both groups: a RouteConfiguration as JSON."""

from __future__ import annotations

import json
from typing import Any

from seq2sum_serving.deployment.routers.router import Shares

NAME = "routes"
"""The name of the RouteConfiguration, `route_config_name` in serving/envoy/router.yaml."""
DEFAULT_VERSION = "default"
"""`version_info` of serving/envoy/routes.json, which Envoy uses while there is no other file."""
KEY_HEADER = "x-seq2sum-key"
"""Calls with the same value of this header are answered by the same group while the shares stay."""
PARTS = 1_000_000
"""The sum of the weights: shares are exact to 0.0001 %."""

Json = dict[str, Any]
_TYPES = "type.googleapis.com/envoy"
_REFUSED = "not through the router: "

# One virtual host for gRPC and REST, so that one rename changes both. Calls without a label or with
# label `stable` are divided. gRPC has the label in the request, which Envoy does not read: a caller
# that names another one must not use the router.
_DIVIDED_METHODS = ("Predict", "Classify", "Regress", "MultiInference")
_STABLE_METHODS = (
    # Signatures are the same in both groups as far as callers use them (the contract gate).
    {"prefix": "/tensorflow.serving.PredictionService/"},
    {"path": "/tensorflow.serving.ModelService/GetModelStatus"},
    # Not `Watch`, which would stay on one server forever.
    {"path": "/grpc.health.v1.Health/Check"},
    # For tools such as grpcurl; it reveals no secrets.
    {"prefix": "/grpc.reflection.v1alpha.ServerReflection/"},
    {"prefix": "/grpc.reflection.v1.ServerReflection/"},
)
_DIVIDED_REST = "/v1/models/[^/:]+(/labels/stable)?:(predict|classify|regress)"
# Callers can neither reconfigure nor profile: HandleReloadConfigRequest makes a server load any
# folder that it can read, and the profiler writes files. In gRPC 403 is PERMISSION_DENIED and 404
# UNIMPLEMENTED, with the text as their message.
_REJECTED = (
    (
        "/tensorflow.serving.ModelService/",
        403,
        f"{_REFUSED}seq2sum-rollout calls each server directly",
    ),
    ("/tensorflow.ProfilerService/", 403, f"{_REFUSED}call the server directly"),
    (
        "/",
        404,
        "the router passes PredictionService, GetModelStatus, health checks and /v1/models/",
    ),
)
_RETRY_POLICY = {
    # All calls that pass are idempotent, so calls that may have been processed can be retried:
    # hence also `reset`, for calls in flight on a server that died. Other status codes are not
    # retried: INVALID_ARGUMENT would fail again, after DEADLINE_EXCEEDED nobody waits, and
    # RESOURCE_EXHAUSTED means overload. 503 is UNAVAILABLE in REST.
    "retry_on": "connect-failure,refused-stream,reset,unavailable,retriable-status-codes",
    "retriable_status_codes": [503],
    # A request that crashes servers crashes three at most; retries of clients multiply this.
    "num_retries": 2,
    "retry_back_off": {"base_interval": "0.02s", "max_interval": "0.2s"},
    # Not on the server that just failed, which may be the least busy one because it rejects calls
    # at once; and what the candidate group failed, on the stable group.
    "retry_priority": {
        "name": "envoy.retry_priorities.previous_priorities",
        "typed_config": {
            "@type": f"{_TYPES}.extensions.retry.priority.previous_priorities.v3"
            ".PreviousPrioritiesConfig",
            "update_frequency": 1,
        },
    },
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {
                "@type": f"{_TYPES}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
            },
        }
    ],
    "host_selection_retry_max_attempts": 5,
}
# The caller's deadline covers all attempts: Envoy uses the header `grpc-timeout` without a cap,
# instead of its default of 15 seconds.
_TIMEOUT = {"timeout": "0s", "max_stream_duration": {"grpc_timeout_header_max": "0s"}}


def render(shares: Shares, version: str = DEFAULT_VERSION) -> str:
    """Returns the file that Envoy reads: a DiscoveryResponse with one RouteConfiguration.

    Args:
        shares: The candidate group's shares, from 0 to 100 percent.
        version: Identifies the file; Envoy's admin reports it once the routes are in force.

    Raises:
        ValueError: A share is not from 0 to 100.
    """
    response = {"version_info": version, "resources": [route_configuration(shares)]}
    return json.dumps(response, indent=1) + "\n"


def route_configuration(shares: Shares) -> Json:
    """Returns the RouteConfiguration, as for `render`."""
    routes = [
        *(
            _route(
                {"path": f"/tensorflow.serving.PredictionService/{method}", "grpc": {}},
                _divided(shares, ""),
            )
            for method in _DIVIDED_METHODS
        ),
        *(_route({**match, "grpc": {}}, {"cluster": "stable"}) for match in _STABLE_METHODS),
        _route({"safe_regex": {"regex": _DIVIDED_REST}}, _divided(shares, "-rest")),
        # The state and the signatures of versions, and calls that name a version or another label.
        _route({"prefix": "/v1/models/"}, {"cluster": "stable-rest"}),
        *(
            {
                "match": {"prefix": prefix},
                "direct_response": {"status": status, "body": {"inline_string": text}},
            }
            for prefix, status, text in _REJECTED
        ),
    ]
    return {
        "@type": f"{_TYPES}.config.route.v3.RouteConfiguration",
        "name": NAME,
        "virtual_hosts": [
            {
                "name": NAME,
                "domains": ["*"],
                # Requests up to this size are buffered for a retry, as in the SDK. Larger ones have
                # a single attempt.
                "request_body_buffer_limit": 4194304,
                "retry_policy": _RETRY_POLICY,
                "routes": routes,
            }
        ],
    }


def _route(match: Json, action: Json) -> Json:
    return {"match": match, "route": {**action, **_TIMEOUT}}


def _divided(shares: Shares, protocol: str) -> Json:
    """Returns the action of calls that are divided between the groups."""
    candidate, mirror = _parts(shares.candidate), _parts(shares.mirror)
    action: Json = {
        "weighted_clusters": {
            # The candidate group first: keys that it has stay with it while its share grows.
            "clusters": [
                {"name": f"candidate-or-stable{protocol}", "weight": candidate},
                {"name": f"stable{protocol}", "weight": PARTS - candidate},
            ],
            # By the hash of the header; random without it.
            "use_hash_policy": True,
        },
        "hash_policy": [{"header": {"header_name": KEY_HEADER}}],
    }
    if mirror:
        fraction = {"numerator": mirror, "denominator": "MILLION"}
        action["request_mirror_policies"] = [
            {
                # Not the cluster that falls back on the stable group: copies are for the candidate.
                "cluster": f"candidate{protocol}",
                "runtime_fraction": {"default_value": fraction},
            }
        ]
    return action


def _parts(percent: float) -> int:
    if not 0 <= percent <= 100:
        raise ValueError(f"invalid share {percent!r}: expected a percentage from 0 to 100")
    return round(percent * PARTS / 100)
