"""A dry run ends as the real run would, with the same words, and changes nothing."""

from __future__ import annotations

import errno
import json
import os
import socket
from functools import partial

import pytest
from seq2sum.addition import contract
from seq2sum_serving.deployment import file_lock
from seq2sum_serving.deployment.errors import Exit, Failed
from seq2sum_serving.rollout import cli, commands, rehearsal, runner
from seq2sum_serving.rollout.analysis import Inspection
from support.rollout_bench import STOCK, WITH_PREVIOUS, Bench


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Version 1 is stable, 2 is on disk and lacks golden questions; its files are really read."""
    found = Bench(tmp_path, monkeypatch, on_disk=(1, 2))
    for module in (runner, rehearsal, commands):
        monkeypatch.setattr(module, "Inspection", Inspection)
    monkeypatch.setattr(cli, "Replicas", lambda *_, **__: found.fleet)
    monkeypatch.setenv("COLUMNS", "200")
    promise(found.base / "2")
    return found


@pytest.fixture
def called(bench, capsys):
    """Calls a verb; gives back exit code and the last line of standard error."""

    def call(verb, *arguments):
        code = cli.main([verb, "--config", str(bench.file), *map(str, arguments)])
        err = capsys.readouterr().err
        return code, err.splitlines()[-1] if err else ""

    return call


def promise(folder):
    """Writes the contract of a good version."""
    (folder / "assets.extra").mkdir(exist_ok=True)
    told = contract.describe(digits=3, steps=4, vocabulary=12)
    (folder / "assets.extra" / contract.FILE_NAME).write_text(json.dumps(told))


def everything(bench):
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in bench.folder.rglob("*")
        if path.suffix not in (".lock", ".rollout")
    }


def projected(file):
    """Makes a file part of a volume as the kubelet projects it."""
    folder = file.parent / "volume"
    (folder / "..2026_07_14").mkdir(parents=True)
    file.rename(folder / "..2026_07_14" / file.name)
    (folder / "..data").symlink_to("..2026_07_14")
    (folder / file.name).symlink_to(f"..data/{file.name}")
    file.symlink_to(folder / file.name)


def with_golden(bench):
    sums = [(a, b) for a in range(10) for b in range(10)]
    golden = {"questions": [f"{a}+{b}" for a, b in sums], "answers": [str(a + b) for a, b in sums]}
    (bench.base / "2" / "assets.extra" / "golden.json").write_text(json.dumps(golden))


def no_contract(bench):
    with_golden(bench)
    (bench.base / "2" / "assets.extra" / contract.FILE_NAME).unlink()


def forced(bench):
    with_golden(bench)
    file = bench.base / "2" / "assets.extra" / contract.FILE_NAME
    file.write_text(json.dumps(json.loads(file.read_bytes()) | {"forced": True}))


def folder_without_golden(bench):
    promise(bench.export(9))


def dangling(bench):
    (bench.export(9) / "link").symlink_to("nowhere")


def another_run(bench):
    bench.export(3, bench.base / "3")
    bench.deployment().note("run started", 3)


def was_burned(bench):
    bench.deployment().note("failed", 2, "it was slow")


def was_taken_back(bench):
    bench.deployment().run = "r"
    deployment = bench.deployment()
    deployment.run = "r"
    deployment.note("run started", 2)
    deployment.note("rolled back", 2, "errors: too many")


def weights_in_a_volume(bench):
    (bench.folder / "traffic.json").write_text('{"stable": 100}')
    projected(bench.folder / "traffic.json")


def pipe(bench):
    os.mkfifo(bench.export(9) / "pipe")


def nonsense_weights(bench):
    with_golden(bench)
    (bench.folder / "traffic.json").write_text("nonsense")


ENDS = {
    "missing golden questions": (None, "run 2", "no golden questions at"),
    "missing golden questions by hand": (None, "canary 2", "no golden questions at"),
    "missing golden questions of all": (None, "promote 2", "no golden questions at"),
    "missing contract": (no_contract, "run 2", "has no assets.extra/contract.json"),
    "an export by force": (forced, "run 2", "golden: Exported by force"),
    "an export by force by hand": (forced, "canary 2", "golden: Exported by force"),
    "an export by force for all": (forced, "promote 2", "golden: Exported by force"),
    "missing version": (None, "run 9", "version 9 is not on disk"),
    "missing folder": (None, "run {folder}/gone", "is not a version folder"),
    "dangling link": (dangling, "run {folder}/exports/9", "No such file or directory"),
    "dangling link to publish": (dangling, "publish {folder}/exports/9", "cannot publish"),
    "taken number": (dangling, "publish {folder}/exports/9 --version 2", "version 2 exists"),
    "another run is open": (another_run, "run 2", "the run of version 3 has not ended"),
    "the version is burned": (was_burned, "run 2", "version 2 failed on"),
    "nothing to go back to": (None, "rollback", "there is nothing to go back to"),
    "the stable version": (None, "retire 1", "version 1 is stable"),
    "a config file in a volume": (
        lambda bench: projected(bench.file),
        "run 2",
        "part of a Kubernetes volume",
    ),
    "a pipe to publish": (pipe, "publish {folder}/exports/9", "Not a regular file"),
    "a pipe to run": (pipe, "run {folder}/exports/9", "Not a regular file"),
    "nonsense in the place of weights": (
        nonsense_weights,
        "run 2",
        "cannot read the traffic weights",
    ),
    "weights in a volume": (weights_in_a_volume, "run 2", "part of a Kubernetes volume"),
}


@pytest.mark.parametrize(("prepare", "line", "words"), ENDS.values(), ids=ENDS)
def test_a_dry_run_dies_of_what_the_real_run_dies_of(bench, called, prepare, line, words):
    if prepare is not None:
        prepare(bench)
    arguments = line.format(folder=bench.folder).split()
    before = everything(bench)
    dry, told = called(*arguments, "--dry-run")
    assert everything(bench) == before
    real, said = called(*arguments)
    assert words in told
    assert dry == real != Exit.DONE
    assert said.startswith(told)


def test_a_folder_is_judged_before_it_is_published(bench, called):
    folder_without_golden(bench)
    dry, told = called("run", bench.folder / "exports" / "9", "--dry-run")
    assert dry == Exit.FAILED
    assert f"no golden questions at {bench.folder / 'exports' / '9'}" in told
    assert bench.deployment().base.versions() == [1, 2]


def test_what_a_killed_run_was_taking_back_is_told(bench, called):
    was_taken_back(bench)
    dry, told = called("run", 2, "--dry-run")
    real, said = called("run", 2)
    assert (dry, told) == (real, said) == (Exit.FAILED, "seq2sum-rollout: errors: too many")


def test_the_lock_of_another_rollout_is_seen(bench, called):
    with file_lock.hold(bench.deployment().record.lock_path("rollout"), "run by ann"):
        dry = called("run", 2, "--dry-run")
        assert dry == called("run", 2)
        assert "another rollout is under way: run by ann" in dry[1]
        assert called("rollback", "--dry-run")[1].endswith("that is on disk")  # it needs no lock


@pytest.mark.parametrize("name", ["models.config", "traffic.json", "rollouts.jsonl"])
def test_what_cannot_be_written_is_told(bench, called, monkeypatch, name):
    access = os.access

    def refused(path, mode):
        return os.fspath(path) != str(bench.folder) and access(path, mode)

    elsewhere = bench.folder / "elsewhere"
    elsewhere.mkdir()
    places = {
        "models.config": "--config",
        "traffic.json": "--traffic",
        "rollouts.jsonl": "--history",
    }
    (elsewhere / "models.config").write_bytes(bench.file.read_bytes())
    there = [
        word
        for file, option in places.items()
        for word in (option, (bench.folder if file == name else elsewhere) / file)
    ]
    monkeypatch.setattr(os, "access", refused)
    dry = called("repair", "--dry-run", *there)
    assert dry == called("repair", *there)
    assert dry[0] == Exit.FAILED
    assert name in dry[1]
    assert "Permission denied" in dry[1]


def test_a_rollback_needs_no_history(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, config=WITH_PREVIOUS, on_disk=(1, 2))
    (bench.folder / "rollouts.jsonl").touch()
    access, opened = os.access, os.open

    def refused(path, *how, real):
        if os.fspath(path).endswith("rollouts.jsonl") and how[0] & (os.W_OK | os.O_RDWR):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, *how)

    monkeypatch.setattr(os, "access", partial(refused, real=access))
    monkeypatch.setattr(os, "open", partial(refused, real=opened))
    with pytest.raises(Failed, match=r"cannot write the history .*: Permission denied"):
        bench.do("retire", version=1, dry_run=True)
    assert bench.do("rollback", dry_run=True) is Exit.DONE
    assert bench.recorded.labels["stable"] == 2
    assert bench.do("rollback") is Exit.DONE
    assert bench.recorded.labels["stable"] == 1


def test_a_rollback_writes_weights_anew_that_cannot_be_read(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, config=WITH_PREVIOUS, on_disk=(1, 2))
    (bench.folder / "traffic.json").write_text("nonsense")
    assert bench.do("rollback", dry_run=True) is Exit.DONE
    assert bench.do("rollback") is Exit.DONE
    assert bench.recorded.labels["stable"] == 1
    assert bench.weights == {"stable": 100}


def test_a_run_that_was_begun_shows_what_is_left(bench, monkeypatch, capsys):
    for module in (runner, rehearsal):
        monkeypatch.setattr(module, "Inspection", bench.gates)
    bench.gates.script["errors 25"] = "Inconclusive"
    deployment = bench.deployment()
    deployment.run = "r"
    deployment.note("run started", 2)
    deployment.note("analysis passed", 2)
    deployment.note("step completed", 2, details={"weight": 5})
    code = cli.main(["run", "2", "--dry-run", "--json", "--config", str(bench.file)])
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert code == Exit.DONE
    assert not any(step.startswith(("judge", "wait", "5 %")) for step in plan)
    assert any(step.startswith("25 %") for step in plan)


@pytest.mark.parametrize("config", [STOCK, WITH_PREVIOUS], ids=["latest", "specific"])
def test_publish_needs_no_replica(tmp_path, monkeypatch, capsys, config):
    def unresolved(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    on_disk = (1,) if config is STOCK else (1, 2)
    bench = Bench(tmp_path, monkeypatch, config=config, on_disk=on_disk)
    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    line = ["publish", str(bench.export(3)), "--config", str(bench.file)]
    line += ["--targets", "dns:///replicas:8500"]
    assert cli.main([*line, "--dry-run"]) == Exit.DONE
    assert cli.main(line) == Exit.DONE, capsys.readouterr().err
    assert bench.contents()[max(on_disk) + 1] == "content 3"
    assert bench.recorded.policy.versions == set(on_disk)  # no server takes it up by itself
    assert cli.main([*line[:1], *line[2:], "--dry-run", str(bench.folder / "gone")]) == 2


def test_publish_does_not_wait_for_a_replica_that_is_down(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, config=STOCK)
    bench.fleet.servers[1].error = "UNAVAILABLE gone"
    assert bench.do("publish", folder=str(bench.export(2)), version=None) is Exit.DONE
    assert bench.recorded.policy.versions == {1}
    assert bench.loaded_on("a:1") == {1}
