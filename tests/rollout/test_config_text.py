"""An edit of a model config file keeps every byte that it does not have to change."""

from __future__ import annotations

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from seq2sum.protocol.model_server_config_pb2 import ModelServerConfig
from seq2sum_serving.deployment import config_text
from seq2sum_serving.deployment.errors import UsageError
from seq2sum_serving.deployment.state import ModelEntry, Policy
from support.config_texts import ADOPTED, BY_HAND, IN_ONE_LINE, PLAIN
from support.situations import recorded

CHANGES = {
    "new fields go to the end of the model": (
        PLAIN,
        recorded("1", stable=1, canary=1),
        ADOPTED,
    ),
    "a new version stands next to the others": (
        ADOPTED,
        recorded("1 2", stable=1, canary=1),
        ADOPTED.replace("versions: 1 }", "versions: 1 versions: 2 }"),
    ),
    "a label keeps its position": (
        ADOPTED,
        recorded("1", stable=1, canary=2),
        ADOPTED.replace('"canary" value: 1', '"canary" value: 2'),
    ),
    "a label is removed with its line": (
        ADOPTED,
        recorded("1", stable=1),
        ADOPTED.replace('    version_labels { key: "canary" value: 1 }\n', ""),
    ),
    "comments stay": (
        BY_HAND,
        recorded("2 3", stable=2, canary=2, previous=3),
        BY_HAND.replace("      versions: 1  # the good one\n", "")
        .replace("# the new one\n", "# the new one\n      versions: 3\n")
        .replace("value: 1\n", "value: 2\n")
        .replace("value: 2 };\n", 'value: 2 };\n  version_labels { key: "previous" value: 3 }\n'),
    ),
    "latest becomes specific": (
        ADOPTED.replace("specific { versions: 1 }", "latest { num_versions: 2 }"),
        recorded("1", stable=1, canary=1),
        ADOPTED,
    ),
    "no version at all": (
        ADOPTED,
        recorded(""),
        PLAIN.replace(
            '"tensorflow"\n  }\n}',
            '"tensorflow"\n    model_version_policy { specific { } }\n  }\n}',
        ),
    ),
}


@pytest.mark.parametrize(("text", "after", "expected"), CHANGES.values(), ids=CHANGES)
def test_edits(text, after, expected):
    assert config_text.replace_entry(text, "seq2sum", after) == expected


def with_crlf(text):
    return text.replace("\n", "\r\n")


@pytest.mark.parametrize(("text", "after", "expected"), CHANGES.values(), ids=CHANGES)
def test_line_endings_stay(text, after, expected):
    assert config_text.replace_entry(with_crlf(text), "seq2sum", after) == with_crlf(expected)


def test_new_line_ends_like_the_line_before():
    top, model = PLAIN.split('  config {\n    name: "seq2sum"')
    text = f'{with_crlf(top)}  config {{\n    name: "seq2sum"{model}'
    changed = config_text.replace_entry(text, "seq2sum", recorded("1", stable=1, canary=1))
    assert changed.count("\r\n") == with_crlf(top).count("\r\n")
    assert changed.replace("\r\n", "\n") == ADOPTED


@given(
    st.sampled_from(
        [PLAIN, ADOPTED, with_crlf(BY_HAND), BY_HAND, IN_ONE_LINE, "\n\n" + BY_HAND + "\n# the end"]
    ),
    st.sets(st.integers(0, 2**63 - 1), max_size=4),
    st.dictionaries(st.sampled_from(["stable", "canary", "x"]), st.integers(0, 9)),
)
def test_edited_text_parses_to_the_new_entry(text, versions, labels):
    after = ModelEntry(Policy("specific", frozenset(versions)), labels)
    changed = config_text.parse(config_text.replace_entry(text, "seq2sum", after))
    assert config_text.model_entry(config_text.find_model(changed, "seq2sum")) == after
    before = text_format.Parse(text, ModelServerConfig())
    others = [one for one in before.model_config_list.config if one.name != "seq2sum"]
    assert [one for one in changed.model_config_list.config if one.name != "seq2sum"] == others


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list { config { nmae: 'x' } }", "not a valid ModelServerConfig: line 1:30"),
        ("model_config_list {\n", "not a valid ModelServerConfig: line"),
        ("nonsense", "not a valid ModelServerConfig: line 1:1"),
        (PLAIN.replace('"other"', '"seq2sum"'), "model 'seq2sum' is listed twice"),
        (PLAIN.replace('"/models/other"', '"models/other"'), "servers accept absolute paths only"),
        (
            PLAIN.replace('    model_platform: "tensorflow"\n', "", 1),
            "model 'other' lacks model_platform",
        ),
        (PLAIN.replace('"seq2sum"', '"sum"'), "model 'seq2sum' is missing (models: other, sum)"),
        ("", "model 'seq2sum' is missing (models: none)"),
    ],
)
def test_text_that_a_server_would_refuse(text, message):
    with pytest.raises(UsageError) as refusal:
        config_text.replace_entry(text, "seq2sum", recorded("1"))
    assert message in str(refusal.value)


def test_entry_in_a_list_is_refused():
    text = 'model_config_list { config: [{ name: "seq2sum" base_path: "/m" model_platform: "t" }] }'
    with pytest.raises(UsageError, match="cannot be edited safely"):
        config_text.replace_entry(text, "seq2sum", recorded("1"))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", Policy("latest", count=1)),
        ("latest { num_versions: 0 }", Policy("latest", count=1)),
        ("latest { num_versions: 3 }", Policy("latest", count=3)),
        ("all {}", Policy("all")),
        ("specific { versions: 2 versions: 2 }", Policy("specific", frozenset({2}))),
    ],
)
def test_policy_of_an_entry(policy, expected):
    text = PLAIN.replace(
        "# on every replica", f"model_version_policy {{ {policy} }}" if policy else ""
    )
    entry = config_text.find_model(config_text.parse(text), "seq2sum")
    assert config_text.model_entry(entry).policy == expected
