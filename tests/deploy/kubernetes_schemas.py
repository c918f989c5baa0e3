"""JSON schemas of the fields of custom resources that are used here; any other field fails.

Source: the documentation of prometheus-operator (monitoring.coreos.com/v1), Gateway API
(gateway.networking.k8s.io/v1) and KServe (serving.kserve.io/v1beta1). The pod fields of KServe are
validated as those of a Deployment, see `as_deployment`.
"""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import kubernetes_validate
from deploy import kubernetes_gateway_schemas
from deploy.kubernetes_schema_types import (
    ANYTHING,
    COUNT,
    DURATION,
    NAME,
    SIZE,
    STRING,
    STRINGS,
    Schema,
    many,
    of,
    resource,
)

RELABELING = of(
    "sourceLabels",
    sourceLabels=many(STRING),
    regex=STRING,
    targetLabel=STRING,
    replacement=STRING,
    action={"enum": ["replace", "keep", "drop"]},
)
SERVICE_MONITOR = resource(
    "ServiceMonitor",
    "monitoring.coreos.com/v1",
    of(
        "selector endpoints",
        jobLabel=STRING,
        selector=of("matchLabels", matchLabels=STRINGS),
        sampleLimit=COUNT,
        bodySizeLimit=SIZE,
        endpoints=many(
            of(
                "port path interval",
                port=NAME,
                path={"type": "string", "pattern": "^/"},
                interval=DURATION,
                scrapeTimeout=DURATION,
                relabelings=many(RELABELING),
                metricRelabelings=many(RELABELING),
            )
        ),
    ),
)

RULE: Schema = {
    **of(
        "expr",
        record=STRING,
        alert=STRING,
        expr=STRING,
        labels=STRINGS,
        annotations=STRINGS,
        **{"for": DURATION, "keep_firing_for": DURATION},
    ),
    "oneOf": [{"required": ["record"]}, {"required": ["alert"]}],
}
PROMETHEUS_RULE = resource(
    "PrometheusRule",
    "monitoring.coreos.com/v1",
    of(
        "groups",
        groups=many(of("name rules", name=STRING, interval=DURATION, rules=many(RULE))),
    ),
)

POD = (
    "containers", "initContainers", "volumes", "securityContext", "topologySpreadConstraints",
    "terminationGracePeriodSeconds", "automountServiceAccountToken", "enableServiceLinks",
)  # fmt: skip
"""The pod fields of a predictor."""
INFERENCE_SERVICE = resource(
    "InferenceService",
    "serving.kserve.io/v1beta1",
    of(
        "predictor",
        predictor=of(
            "containers minReplicas maxReplicas",
            minReplicas=COUNT,
            maxReplicas=COUNT,
            scaleMetric={"enum": ["cpu", "memory"]},  # the others need Knative
            scaleTarget=COUNT,
            labels=STRINGS,
            annotations=STRINGS,
            deploymentStrategy=ANYTHING,
            **dict.fromkeys(POD, ANYTHING),
        ),
    ),
)
SCHEMAS = {
    **kubernetes_gateway_schemas.SCHEMAS,
    "ServiceMonitor": SERVICE_MONITOR,
    "PrometheusRule": PROMETHEUS_RULE,
    "InferenceService": INFERENCE_SERVICE,
}


def validate(object_: dict[str, Any], version: str) -> None:
    """Raises a ValidationError if an object does not conform to the schema of its kind."""
    schema = SCHEMAS.get(object_["kind"])
    if schema is None:
        kubernetes_validate.validate(object_, version, strict=True)
        return
    jsonschema.validate(object_, schema)
    if object_["kind"] == "InferenceService":
        kubernetes_validate.validate(as_deployment(object_), version, strict=True)


def as_deployment(service: dict[str, Any]) -> dict[str, Any]:
    """Returns the Deployment that KServe creates, as far as the InferenceService determines it."""
    predictor = copy.deepcopy(service["spec"]["predictor"])
    labels = predictor["labels"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "predictor"},
        "spec": {
            "selector": {"matchLabels": labels},
            "strategy": predictor["deploymentStrategy"],
            "template": {
                "metadata": {"labels": labels},
                "spec": {field: predictor[field] for field in POD if field in predictor},
            },
        },
    }
