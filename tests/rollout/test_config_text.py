"""A model config file keeps every byte that a change is not about."""

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
    "what was not there goes to the end of its model": (
        PLAIN,
        recorded("1", stable=1, canary=1),
        ADOPTED,
    ),
    "a version more stands beside the others": (
        ADOPTED,
        recorded("1 2", stable=1, canary=1),
        ADOPTED.replace("versions: 1 }", "versions: 1 versions: 2 }"),
    ),
    "a label moves in its place": (
        ADOPTED,
        recorded("1", stable=1, canary=2),
        ADOPTED.replace('"canary" value: 1', '"canary" value: 2'),
    ),
    "a label that is gone takes its line along": (
        ADOPTED,
        recorded("1", stable=1),
        ADOPTED.replace('    version_labels { key: "canary" value: 1 }\n', ""),
    ),
    "comments stay where they are": (
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
        ADOPTED.replace("{ specific", "{ specific"),
    ),
    "no version at all is a policy, too": (
        ADOPTED,
        recorded(""),
        PLAIN.replace(
            '"tensorflow"\n  }\n}',
            '"tensorflow"\n    model_version_policy { specific { } }\n  }\n}',
        ),
    ),
}


@pytest.mark.parametrize(("text", "after", "expected"), CHANGES.values(), ids=CHANGES)
def test_only_what_changes_changes(text, after, expected):
    assert config_text.changed(text, "seq2sum", after) == expected


def windows(text):
    return text.replace("\n", "\r\n")


@pytest.mark.parametrize(("text", "after", "expected"), CHANGES.values(), ids=CHANGES)
def test_ends_of_lines_stay_as_they_are(text, after, expected):
    assert config_text.changed(windows(text), "seq2sum", after) == windows(expected)


def test_a_line_ends_as_the_line_before_it():
    top, model = PLAIN.split('  config {\n    name: "seq2sum"')
    text = f'{windows(top)}  config {{\n    name: "seq2sum"{model}'
    changed = config_text.changed(text, "seq2sum", recorded("1", stable=1, canary=1))
    assert changed.count("\r\n") == windows(top).count("\r\n")
    assert changed.replace("\r\n", "\n") == ADOPTED


@given(
    st.sampled_from(
        [PLAIN, ADOPTED, windows(BY_HAND), BY_HAND, IN_ONE_LINE, "\n\n" + BY_HAND + "\n# the end"]
    ),
    st.sets(st.integers(0, 2**63 - 1), max_size=4),
    st.dictionaries(st.sampled_from(["stable", "canary", "x"]), st.integers(0, 9)),
)
def test_whatever_is_written_is_what_a_server_reads(text, versions, labels):
    after = ModelEntry(Policy("specific", frozenset(versions)), labels)
    changed = config_text.parsed(config_text.changed(text, "seq2sum", after))
    assert config_text.recorded(config_text.entry(changed, "seq2sum")) == after
    before = text_format.Parse(text, ModelServerConfig())
    others = [one for one in before.model_config_list.config if one.name != "seq2sum"]
    assert [one for one in changed.model_config_list.config if one.name != "seq2sum"] == others


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model_config_list { config { nmae: 'x' } }", "it is no ModelServerConfig: line 1:30"),
        ("model_config_list {\n", "it is no ModelServerConfig: line"),
        ("nonsense", "it is no ModelServerConfig: line 1:1"),
        (PLAIN.replace('"other"', '"seq2sum"'), "it lists model 'seq2sum' twice"),
        (PLAIN.replace('"/models/other"', '"models/other"'), "a server takes absolute paths only"),
        (
            PLAIN.replace('    model_platform: "tensorflow"\n', "", 1),
            "model 'other' has no model_platform",
        ),
        (PLAIN.replace('"seq2sum"', '"sum"'), "it has no model 'seq2sum' (but: other, sum)"),
        ("", "it has no model 'seq2sum' (but: none)"),
    ],
)
def test_what_a_server_would_not_take_is_refused(text, said):
    with pytest.raises(UsageError) as refusal:
        config_text.changed(text, "seq2sum", recorded("1"))
    assert said in str(refusal.value)


def test_an_entry_in_a_list_is_left_to_a_person():
    text = 'model_config_list { config: [{ name: "seq2sum" base_path: "/m" model_platform: "t" }] }'
    with pytest.raises(UsageError, match="cannot be changed safely"):
        config_text.changed(text, "seq2sum", recorded("1"))


@pytest.mark.parametrize(
    ("policy", "meant"),
    [
        ("", Policy("latest", count=1)),
        ("latest { num_versions: 0 }", Policy("latest", count=1)),
        ("latest { num_versions: 3 }", Policy("latest", count=3)),
        ("all {}", Policy("all")),
        ("specific { versions: 2 versions: 2 }", Policy("specific", frozenset({2}))),
    ],
)
def test_a_policy_means_what_it_means_to_a_server(policy, meant):
    text = PLAIN.replace(
        "# on every replica", f"model_version_policy {{ {policy} }}" if policy else ""
    )
    entry = config_text.entry(config_text.parsed(text), "seq2sum")
    assert config_text.recorded(entry).policy == meant
