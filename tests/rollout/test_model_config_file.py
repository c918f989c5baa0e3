"""The model config file changes as a whole, under a lock, or not at all."""

from __future__ import annotations

import errno
import os
import threading

import pytest
from seq2sum_serving.deployment import atomic_file, file_lock
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.model_config_file import (
    ModelConfigFile,
    model_names,
    only_model,
)
from seq2sum_serving.deployment.state import ModelEntry, Policy
from support.config_texts import ADOPTED, BY_HAND
from support.situations import recorded


@pytest.fixture
def config_file(tmp_path):
    (tmp_path / "models.config").write_text(ADOPTED)
    return ModelConfigFile(tmp_path / "models.config", "seq2sum")


def test_change_is_read_back_and_leaves_no_temporary_file(config_file):
    config_file.path.chmod(0o640)
    config_file.change(config_file.read(), recorded("1 2", stable=1, canary=2))
    assert config_file.read() == recorded("1 2", stable=1, canary=2)
    assert config_file.path.stat().st_mode & 0o777 == 0o640
    assert sorted(entry.name for entry in config_file.path.parent.iterdir()) == [
        ".models.config.lock",
        "models.config",
    ]


def test_change_through_a_link_keeps_line_endings(config_file, tmp_path):
    config_file.path.write_bytes(ADOPTED.replace("\n", "\r\n").encode())
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "models.config"
    link.symlink_to(config_file.path)
    linked = ModelConfigFile(link, "seq2sum")
    linked.change(linked.read(), recorded("1 2", stable=2, canary=2))
    assert link.is_symlink()
    assert config_file.read() == recorded("1 2", stable=2, canary=2)
    text = config_file.path.read_bytes()
    assert text.count(b"\n") == text.count(b"\r\n") == ADOPTED.count("\n")
    assert linked.lock_path("lock") == config_file.lock_path("lock")
    assert [entry.name for entry in link.parent.iterdir()] == ["models.config"]


def test_change_from_an_outdated_entry_is_refused(config_file):
    before = config_file.read()
    config_file.change(before, recorded("1 2", stable=1, canary=1))
    with pytest.raises(Failed, match="changed by somebody else in the meantime"):
        config_file.change(before, recorded("1 3", stable=1, canary=1))
    assert config_file.read() == recorded("1 2", stable=1, canary=1)


def test_concurrent_changes_are_serialized(config_file):
    """Each thread retries if another one has changed the file in the meantime."""

    def add(version):
        while True:
            before = config_file.read()
            versions = before.policy.versions | {version}
            try:
                config_file.change(before, ModelEntry(Policy("specific", versions), before.labels))
            except Failed:
                continue
            return

    threads = [threading.Thread(target=add, args=(version,)) for version in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert config_file.read().policy.versions == set(range(1, 10))


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_changes_nothing(config_file, monkeypatch, call):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = config_file.read()
    monkeypatch.setattr(atomic_file.os, call, full)
    with pytest.raises(Failed, match=r"No space left on device.*the traffic are unchanged"):
        config_file.change(before, recorded("2"))
    assert config_file.path.read_text() == ADOPTED
    assert [
        entry.name for entry in config_file.path.parent.iterdir() if entry.suffix != ".lock"
    ] == ["models.config"]


def test_invalid_text_is_reported_with_its_position(config_file):
    config_file.path.write_text(BY_HAND.replace("specific {", "specfic {"))
    with pytest.raises(
        UsageError, match=r"models.config: not a valid ModelServerConfig: line 4:5"
    ) as refusal:
        config_file.read()
    assert "Running servers keep their configuration" in str(refusal.value)


def test_base_path_may_be_a_file_uri(config_file):
    assert config_file.base_path() == "/models/seq2sum"
    config_file.path.write_text(ADOPTED.replace('"/models/seq2sum"', '"file:///models/seq2sum"'))
    assert config_file.base_path() == "/models/seq2sum"


def test_missing_file_is_reported_with_an_example(tmp_path):
    with pytest.raises(UsageError, match="cannot find the model config file") as refusal:
        ModelConfigFile(tmp_path / "models.config", "seq2sum").read()
    example = str(refusal.value).split(":\n", 1)[1]
    (tmp_path / "models.config").write_text(example)
    assert ModelConfigFile(tmp_path / "models.config", "seq2sum").read() == ModelEntry()


TWO_MODELS = """model_config_list {
  config { name: "a" base_path: "/a" model_platform: "tensorflow" }
  config { name: "b" base_path: "/b" model_platform: "tensorflow" }
}"""


def test_only_model_is_the_default(tmp_path):
    path = tmp_path / "models.config"
    path.write_text(TWO_MODELS.replace('"b"', '"seq2sum"').replace('  config { name: "a"', "# {"))
    assert (only_model(path), model_names(path)) == ("seq2sum", ["seq2sum"])
    path.write_text(TWO_MODELS)
    assert model_names(path) == ["a", "b"]
    for text, message in (
        (TWO_MODELS, "lists several models: give --model, one of a, b"),
        ("", "lists no model"),
        ("{", "not a valid ModelServerConfig"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            only_model(path)
    path.unlink()
    with pytest.raises(UsageError, match="cannot find the model config file"):
        only_model(path)


def test_models_have_different_files_and_locks(tmp_path):
    names = ("a", "b", "a/b", "a%2Fb", "..", "ü")
    files = [ModelConfigFile(tmp_path / "models.config", name) for name in names]
    for paths in ([f.model_file("traffic.json") for f in files], [f.rollout_lock() for f in files]):
        assert len(set(paths)) == len(names)
        assert {path.parent for path in paths} == {tmp_path}
    assert files[0].model_file("traffic.json").name == "a.traffic.json"


def test_file_cannot_change_while_it_is_sent(tmp_path):
    path = tmp_path / "models.config"
    path.write_text(TWO_MODELS)
    first, second = ModelConfigFile(path, "a"), ModelConfigFile(path, "b")
    sent, change = (
        [],
        threading.Thread(target=lambda: second.change(second.read(), recorded("1", stable=1))),
    )

    def send(message):
        assert file_lock.holder(first.lock_path("lock")) is not None
        change.start()
        sent.append(message)
        return path.read_text()

    assert first.send(send) == TWO_MODELS
    change.join()
    assert second.read() == recorded("1", stable=1)
    first.send(sent.append)
    assert [len(message.model_config_list.config[1].version_labels) for message in sent] == [0, 1]
