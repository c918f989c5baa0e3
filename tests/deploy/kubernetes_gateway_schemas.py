"""JSON schemas of the objects of Gateway API, v1, with the fields that are used here.

The limits are those of the API's custom resource definitions: 16 rules with 64 matches each, and 16
backends with weights of at most a million.
"""

from __future__ import annotations

from deploy.kubernetes_schema_types import NAME, Schema, many, of, resource

API = "gateway.networking.k8s.io/v1"
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
METHOD: Schema = {"type": "string", "pattern": r"^[A-Za-z_][A-Za-z_0-9]*$", "maxLength": 1024}
SERVICE: Schema = {
    "type": "string",
    "pattern": r"^(?:(?:[A-Za-z_][A-Za-z_0-9]*\.)*)[A-Za-z_][A-Za-z_0-9]*$",
    "maxLength": 1024,
}
PATH: Schema = {
    "type": "string",
    "pattern": r"^/(?!.*(//|/\.\.?/|%2[fF]))[-A-Za-z0-9/._~!$&'()*+,;=:@]*$",
    "maxLength": 1024,
}


def at_most(count: int, items: Schema) -> Schema:
    return many(items) | {"maxItems": count}


GATEWAY = resource(
    "Gateway",
    API,
    of(
        "gatewayClassName listeners",
        gatewayClassName=NAME,
        listeners=at_most(
            64,
            of(
                "name port protocol",
                name=NAME,
                port=PORT,
                protocol={"enum": ["HTTP", "HTTPS", "TLS", "TCP", "UDP"]},
                allowedRoutes=of(
                    kinds=at_most(
                        8,
                        of(
                            "kind",
                            group={"const": "gateway.networking.k8s.io"},
                            kind={"enum": ["GRPCRoute", "HTTPRoute"]},
                        ),
                    )
                ),
            ),
        ),
    ),
)


def route(kind: str, match: Schema) -> Schema:
    """Returns the schema of a route whose rules have matches of this schema."""
    weight: Schema = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
    backend = of("name port", name=NAME, port=PORT, weight=weight)
    rule = of("backendRefs", matches=at_most(64, match), backendRefs=at_most(16, backend))
    parent = of("name", name=NAME, sectionName=NAME)
    return resource(
        kind,
        API,
        of("parentRefs rules", parentRefs=at_most(32, parent), rules=at_most(16, rule)),
    )


GRPC_ROUTE = route(
    "GRPCRoute",
    of(
        method={
            **of(type={"const": "Exact"}, service=SERVICE, method=METHOD),
            "anyOf": [{"required": ["service"]}, {"required": ["method"]}],
        }
    ),
)
HTTP_ROUTE = route(
    "HTTPRoute",
    of(
        method={"enum": ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]},
        # Gateway API leaves RegularExpression to implementations, so it is not allowed here.
        path=of("type value", type={"enum": ["Exact", "PathPrefix"]}, value=PATH),
    ),
)
SCHEMAS = {"Gateway": GATEWAY, "GRPCRoute": GRPC_ROUTE, "HTTPRoute": HTTP_ROUTE}
"""Schemas by kind."""
