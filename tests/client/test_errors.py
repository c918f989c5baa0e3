"""Errors: from gRPC status codes to exceptions, and their attributes."""

from __future__ import annotations

import pickle

import grpc
import pytest
import seq2sum
from seq2sum import _errors
from seq2sum._servable import Servable
from support.status_codes import BY_CODE


def test_table_has_every_status_code():
    assert set(BY_CODE) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


@pytest.mark.parametrize(("code", "kind"), BY_CODE.items(), ids=lambda v: getattr(v, "name", ""))
def test_each_status_code_has_its_error_class(code, kind):
    error = _errors.error_of(code, "why", target="here:1", servable=Servable("adder"))
    assert type(error) is kind
    assert error.code is code
    assert str(error) == f"why [{code.name} from here:1, model adder, latest version]"


@pytest.mark.parametrize(
    ("servable", "named"),
    [(Servable("m", 0), "model m, version 0"), (Servable("m", label="x"), "model m, label x")],
)
def test_not_found_names_the_servable(servable, named):
    error = _errors.error_of(grpc.StatusCode.NOT_FOUND, None, target="t", servable=servable)
    assert type(error) is seq2sum.VersionNotFound
    assert named in str(error)
    assert "no details given" in str(error)
    assert (error.model, error.version, error.label) == ("m", servable.version, servable.label)


def test_unknown_label_is_version_not_found():
    error = _errors.error_of(
        grpc.StatusCode.INVALID_ARGUMENT,
        "Unrecognized servable version label: x",
        target="t",
        servable=Servable("m", label="x"),
    )
    assert type(error) is seq2sum.VersionNotFound


def every_kind(kind):
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in every_kind(child))]


@pytest.mark.parametrize("kind", every_kind(seq2sum.CallError))
def test_errors_can_be_pickled(kind):
    servable = Servable("m", label="canary")
    error = kind("why", code=grpc.StatusCode.UNKNOWN, target="t", servable=servable)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert vars(again) == vars(error)
    assert str(again) == str(error)


@pytest.mark.parametrize(
    "error",
    [
        seq2sum.InvalidQuestion("why"),
        seq2sum.UnexpectedResponse("why"),
        seq2sum.Overloaded(
            "why", code=grpc.StatusCode.RESOURCE_EXHAUSTED, target="t", servable=Servable("m")
        ),
    ],
)
def test_copied_error_has_the_same_text_and_names_its_cause(error):
    copied = _errors.copy_error(error)
    assert type(copied) is type(error)
    assert copied is not error
    assert str(copied) == str(error)
    assert copied.__cause__ is error
