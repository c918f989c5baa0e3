"""Options of a wrong type or without content are refused when a client is made or called."""

from __future__ import annotations

import pytest
import seq2sum


@pytest.mark.parametrize("kind", [seq2sum.ModelClient, seq2sum.AsyncModelClient])
@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"split": {"stable": 1}}, TypeError,
         "invalid split {'stable': 1}: expected seq2sum.Split(...) or seq2sum.SplitFile(...)"),
        ({"coalescing": True}, TypeError, "invalid coalescing True: expected seq2sum.Coalescing("),
        ({"shadow": "x"}, TypeError, "invalid shadow 'x': expected seq2sum.Shadow("),
        ({"tls": True}, TypeError, "invalid tls True: expected seq2sum.TLS("),
        ({"retry": 3}, TypeError, "invalid retry 3: expected seq2sum.Retry("),
        ({"keepalive": 3}, TypeError, "invalid keepalive 3: expected seq2sum.KeepAlive("),
        ({"model": ""}, ValueError, "invalid model '': expected a name"),
        ({"label": ""}, ValueError, "invalid label '': expected a name"),
    ],
)  # fmt: skip
def test_constructor_refuses_options_of_a_wrong_type(kind, options, error, text):
    with pytest.raises(error) as caught:
        kind("localhost:8500", **({"model": "any"} | options))
    assert text in str(caught.value)


def test_calls_refuse_options_that_do_not_exist():
    with seq2sum.ModelClient("localhost:8500", model="any") as client:
        for call in (client.predict, client.predict_stream, client.classify):
            with pytest.raises(TypeError) as caught:
                call([1.0], lable="x")
            assert str(caught.value) == (
                "unexpected keyword argument 'lable': the options of a call are version, label, "
                "key, timeout, metadata"
            )
        with pytest.raises(ValueError, match="invalid label ''"):
            client.predict([1.0], label="")


@pytest.mark.parametrize(
    ("weights", "error", "text"),
    [
        ({"": 1}, ValueError, "invalid label '': expected a name"),
        ({"a": True}, TypeError, "invalid weight True of 'a': expected a number"),
        ({"a": "1"}, TypeError, "invalid weight '1' of 'a': expected a number"),
    ],
)
def test_split_refuses_weights(weights, error, text):
    with pytest.raises(error) as caught:
        seq2sum.Split(weights)
    assert str(caught.value) == text
