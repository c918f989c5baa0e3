"""Paths of REST requests: their routes, and the targets in request lines."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.rest.paths import Action, Route, RouteError, parse_route, parse_target

pytestmark = pytest.mark.tensorflow

PREDICT, METADATA, STATUS = Action.PREDICT, Action.METADATA, Action.STATUS


@pytest.mark.parametrize(
    ("verb", "path", "expected"),
    [
        ("POST", "/v1/models/m:predict", Route(PREDICT, "m")),
        ("POST", "/V1/Models/m/Versions/3:predict", Route(PREDICT, "m", version=3)),
        ("POST", "/v1/models/m/versions/0:predict", Route(PREDICT, "m", version=0)),
        ("POST", "/v1/models/m/labels/a%20b:classify", Route(Action.CLASSIFY, "m", label="a b")),
        ("POST", "/v1/models/a%2Fb%3A:regress", Route(Action.REGRESS, "a/b:")),
        ("GET", "/v1/models/m", Route(STATUS, "m")),
        ("GET", "/v1/models/m?x=1", Route(STATUS, "m?x=1")),
        ("GET", "/v1/models/m/labels/x/metadata", Route(METADATA, "m", label="x")),
        ("GET", "/v1/models/m/METADATA", Route(STATUS, "m")),
        ("GET", "/v1/models/versions", Route(STATUS, "versions")),
    ],
)
def test_path_is_parsed_into_a_route(verb, path, expected):
    assert parse_route(verb, path) == expected


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/v1/models/m:Predict"),
        ("POST", "/v1/models/m"),
        ("POST", "/v1/models/m:predict?x"),
        ("POST", "/v1/models/m/versions/abc:predict"),
        ("POST", "/v1/models/m/versions/-1:predict"),
        ("POST", "/v1/models/m/versions/1/labels/x:predict"),
        ("GET", "/v1/models/m:predict"),
        ("GET", "/v1/models/m/"),
        ("GET", "/v1/models/"),
        ("GET", "/v1/models/metadata/metadata/"),
        ("HEAD", "/v1/models/m"),
        ("PUT", "/v1/models/m:predict"),
    ],
)
def test_malformed_path_is_rejected(verb, path):
    with pytest.raises(RouteError) as raised:
        parse_route(verb, path)
    assert raised.value.message == f"Malformed request: {verb} {path}"
    assert not raised.value.has_empty_body


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/versions/3"])
def test_missing_model_name_has_its_own_message(path):
    with pytest.raises(RouteError) as raised:
        parse_route("GET", path)
    assert raised.value.message.startswith("Missing model name in request.")


def test_version_beyond_64_bits_is_rejected_without_a_body():
    assert parse_route("GET", f"/v1/models/m/versions/{2**63 - 1}").version == 2**63 - 1
    with pytest.raises(RouteError) as raised:
        parse_route("GET", f"/v1/models/m/versions/{2**63}")
    assert raised.value.has_empty_body
    assert raised.value.model == "m"  # the label of the metric


@pytest.mark.parametrize(
    ("raw", "path", "full", "is_api"),
    [
        (b"/v1/models/m?a=b#c", "/v1/models/m", "/v1/models/m?a=b#c", True),
        (b"http://host:1/v1/models/m", "/v1/models/m", "/v1/models/m", True),
        (b"//v1/models/m", "/models/m", "/models/m", False),
        (b"/V1/", "/V1/", "/V1/", True),
        (b"/v1", "/v1", "/v1", False),
        (b"*", "*", "*", False),
    ],
)
def test_targets_are_split_like_uris(raw, path, full, is_api):
    found = parse_target(raw)
    assert (found.path, found.full, found.is_api) == (path, full, is_api)


@pytest.mark.parametrize("raw", [b"/v1/models/a%zz", b"/a%2", b"/a b", b'/"', b"/\xc3\xa9", b"/{}"])
def test_invalid_uri_is_rejected(raw):
    assert parse_target(raw) is None


@pytest.mark.parametrize("rest", ["?", "?x", "#", "?#y", ""])
def test_query_is_part_of_the_full_path(rest):
    found = parse_target(b"/v1/models/m" + rest.encode())
    assert (found.path, found.full) == ("/v1/models/m", f"/v1/models/m{rest}")
