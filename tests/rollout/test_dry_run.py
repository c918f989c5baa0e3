"""A dry run ends with the error of the real command, and changes nothing."""

from __future__ import annotations

import errno
import json
import os
import socket
from functools import partial

import pytest
from msgspec.structs import replace
from seq2sum.addition import contract
from seq2sum_serving.deployment import file_lock
from seq2sum_serving.deployment.errors import Exit, Failed
from seq2sum_serving.gates import policy
from seq2sum_serving.rollout import cli, opening
from seq2sum_serving.rollout.analysis import Analysis
from seq2sum_serving.rollout.change_options import ChangeOptions
from support.rollout_bench import INITIAL, WITH_PREVIOUS, Bench

LIMITS = policy.default()
ALL_LABELLED = replace(LIMITS, traffic=replace(LIMITS.traffic, unlabelled_callers="none"))


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Version 1 is stable; version 2 is on disk without golden requests. Gates are real."""
    opened = Bench(tmp_path, monkeypatch, on_disk=(1, 2))
    opened.use_analysis(monkeypatch, Analysis)
    monkeypatch.setattr(opening, "Replicas", lambda *_, **__: opened.replicas)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(opening.policy, "default", lambda: ALL_LABELLED)
    write_contract(opened.base / "2")
    return opened


@pytest.fixture
def call(bench, capsys):
    """Calls a command; returns exit code and the last line of standard error."""

    def call(command, *arguments):
        code = cli.main([command, "--config", str(bench.file), *map(str, arguments)])
        err = capsys.readouterr().err
        return code, err.splitlines()[-1] if err else ""

    return call


def write_contract(folder):
    (folder / "assets.extra").mkdir(exist_ok=True)
    content = contract.describe(digits=3, steps=4, vocabulary=12)
    (folder / "assets.extra" / contract.FILE_NAME).write_text(json.dumps(content))


def move_to_volume(file):
    """Makes a file part of a volume like those of the kubelet."""
    folder = file.parent / "volume"
    (folder / "..2026_07_14").mkdir(parents=True)
    file.rename(folder / "..2026_07_14" / file.name)
    (folder / "..data").symlink_to("..2026_07_14")
    (folder / file.name).symlink_to(f"..data/{file.name}")
    file.symlink_to(folder / file.name)


def add_golden(bench, version=2):
    line = '{"inputs": {"questions": ["1+1"]}, "expect": {"answers": ["2"]}}\n'
    (bench.base / str(version) / "assets.extra" / "golden.jsonl").write_text(line)


def break_golden(bench):
    file = bench.base / "2" / "assets.extra" / "golden.jsonl"
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"inputs": {}}\n')


def break_contract(bench):
    add_golden(bench)
    (bench.base / "2" / "assets.extra" / contract.FILE_NAME).write_text('{"contract": 1}')


def remove_contract(bench):
    add_golden(bench)
    (bench.base / "2" / "assets.extra" / contract.FILE_NAME).unlink()


def force_export(bench):
    add_golden(bench)
    file = bench.base / "2" / "assets.extra" / contract.FILE_NAME
    file.write_text(json.dumps(json.loads(file.read_bytes()) | {"forced": True}))


def dangling_link(bench):
    (bench.export(9) / "link").symlink_to("nowhere")


def start_other_run(bench):
    bench.export(3, bench.base / "3")
    bench.executor().record("run started", 3)


def burn(bench):
    bench.executor().record("failed", 2, ChangeOptions("it was slow"))


def move_weights_to_volume(bench):
    (bench.folder / "seq2sum.traffic.json").write_text('{"stable": 100}')
    move_to_volume(bench.folder / "seq2sum.traffic.json")


def add_pipe(bench):
    os.mkfifo(bench.export(9) / "pipe")


def write_invalid_weights(bench):
    add_golden(bench)
    (bench.folder / "seq2sum.traffic.json").write_text("nonsense")


ERRORS = {
    "no golden requests": (None, "run 2", "`seq2sum-rollout golden record --from inputs.jsonl`"),
    "broken golden requests": (break_golden, "run 2", "invalid golden requests: "),
    "broken golden requests, canary": (break_golden, "canary 2", "invalid golden requests: "),
    "broken golden requests, promote": (break_golden, "promote 2", "invalid golden requests: "),
    "missing contract": (remove_contract, "run 2", "`seq2sum-rollout contract record` writes one"),
    "broken contract": (break_contract, "run 2", "contract is 1, expected 2"),
    "forced export": (force_export, "run 2", "evaluation: Exported by force"),
    "forced export, canary": (force_export, "canary 2", "evaluation: Exported by force"),
    "forced export, promote": (force_export, "promote 2", "evaluation: Exported by force"),
    "missing version": (None, "run 9", "version 9 is not on disk"),
    "missing folder": (None, "run {folder}/gone", "is not a version folder"),
    "dangling link": (dangling_link, "run {folder}/exports/9", "No such file or directory"),
    "dangling link to publish": (dangling_link, "publish {folder}/exports/9", "cannot publish"),
    "taken number": (
        dangling_link,
        "publish {folder}/exports/9 --version 2",
        "version 2 exists",
    ),
    "open run of another version": (start_other_run, "run 2", "the run of version 3 has not ended"),
    "burned version": (burn, "run 2", "version 2 failed on"),
    "nothing to roll back": (None, "rollback", "nothing to roll back"),
    "retire the stable version": (None, "retire 1", "version 1 is stable"),
    "config file in a volume": (
        lambda bench: move_to_volume(bench.file),
        "run 2",
        "part of a Kubernetes volume",
    ),
    "pipe to publish": (add_pipe, "publish {folder}/exports/9", "Not a regular file"),
    "pipe to run": (add_pipe, "run {folder}/exports/9", "Not a regular file"),
    "invalid weights": (write_invalid_weights, "run 2", "invalid traffic weights"),
    "weights in a volume": (move_weights_to_volume, "run 2", "part of a Kubernetes volume"),
}


@pytest.mark.parametrize(("prepare", "line", "message"), ERRORS.values(), ids=ERRORS)
def test_dry_run_fails_with_the_error_of_the_command(bench, call, prepare, line, message):
    if prepare is not None:
        prepare(bench)
    arguments = line.format(folder=bench.folder).split()
    before = bench.files()
    dry_code, dry_error = call(*arguments, "--dry-run")
    assert bench.files() == before
    code, error = call(*arguments)
    assert message in dry_error
    assert dry_code == code != Exit.DONE
    assert error.startswith(dry_error)


def test_dry_run_judges_a_folder_before_it_is_published(bench, call):
    folder = bench.export(9)
    write_contract(folder)
    code, error = call("run", folder, "--dry-run")
    assert code == Exit.INCONCLUSIVE
    assert "neither the version nor one in service before it has assets.extra/golden.jsonl" in error
    assert "the run" not in error  # it has not started
    assert bench.executor().store.versions() == [1, 2]


@pytest.mark.parametrize("end", ["failed", "rolled back", "aborted", "published"])
def test_files_of_versions_that_failed_do_not_bind_later_ones(tmp_path, monkeypatch, end):
    config = WITH_PREVIOUS.replace("value: 2", "value: 3").replace("versions: 2", "versions: 3")
    bench = Bench(tmp_path, monkeypatch, config=config, on_disk=(1, 2, 3, 4))
    bench.use_analysis(monkeypatch, Analysis)
    write_contract(bench.base / "1")
    write_contract(bench.base / "4")
    add_golden(bench, 1)
    break_golden(bench)
    (bench.base / "2" / "assets.extra" / contract.FILE_NAME).write_text("broken")
    bench.executor().record(end, 2)
    line = {"version_or_folder": "4", "dry_run": True}
    assert bench.execute("run", **line) is Exit.DONE


def test_dry_run_reports_why_a_killed_run_was_being_aborted(bench, call):
    executor = bench.executor()
    executor.record("run started", 2, ChangeOptions(run="r"))
    executor.record("rolled back", 2, ChangeOptions("errors: too many", run="r"))
    dry = call("run", 2, "--dry-run")
    assert dry == call("run", 2) == (Exit.FAILED, "seq2sum-rollout: errors: too many")


def test_dry_run_reports_another_rollout(bench, call):
    with file_lock.hold(bench.executor().config.rollout_lock(), "run by ann"):
        dry = call("run", 2, "--dry-run")
        assert dry == call("run", 2)
        assert "another rollout of this model is in progress: run by ann" in dry[1]
        assert call("rollback", "--dry-run")[1].endswith("version on disk")  # needs no lock


@pytest.mark.parametrize("name", ["models.config", "traffic.json", "rollouts.jsonl"])
def test_dry_run_reports_files_that_cannot_be_written(bench, call, monkeypatch, name):
    access = os.access

    def is_allowed(path, mode):
        return os.fspath(path) != str(bench.folder) and access(path, mode)

    elsewhere = bench.folder / "elsewhere"
    elsewhere.mkdir()
    options = {
        "models.config": "--config",
        "traffic.json": "--traffic",
        "rollouts.jsonl": "--history",
    }
    (elsewhere / "models.config").write_bytes(bench.file.read_bytes())
    arguments = [
        argument
        for file, option in options.items()
        for argument in (option, (bench.folder if file == name else elsewhere) / file)
    ]
    monkeypatch.setattr(os, "access", is_allowed)
    dry = call("repair", "--dry-run", *arguments)
    assert dry == call("repair", *arguments)
    assert dry[0] == Exit.FAILED
    assert name in dry[1]
    assert "Permission denied" in dry[1]


def test_rollback_needs_no_history(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, config=WITH_PREVIOUS, on_disk=(1, 2))
    (bench.folder / "seq2sum.rollouts.jsonl").touch()
    access, open_file = os.access, os.open

    def refuse(path, *args, real):
        if os.fspath(path).endswith("rollouts.jsonl") and args[0] & (os.W_OK | os.O_RDWR):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, *args)

    monkeypatch.setattr(os, "access", partial(refuse, real=access))
    monkeypatch.setattr(os, "open", partial(refuse, real=open_file))
    with pytest.raises(Failed, match=r"cannot write the history .*: Permission denied"):
        bench.execute("retire", version=1, dry_run=True)
    assert bench.execute("rollback", dry_run=True) is Exit.DONE
    assert bench.recorded.labels["stable"] == 2
    assert bench.execute("rollback") is Exit.DONE
    assert bench.recorded.labels["stable"] == 1


def test_rollback_replaces_invalid_weights(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, config=WITH_PREVIOUS, on_disk=(1, 2))
    (bench.folder / "seq2sum.traffic.json").write_text("nonsense")
    assert bench.execute("rollback", dry_run=True) is Exit.DONE
    assert bench.execute("rollback") is Exit.DONE
    assert bench.recorded.labels["stable"] == 1
    assert bench.weights == {"stable": 100}


def test_dry_run_of_an_open_run_shows_the_remaining_steps(bench, monkeypatch, capsys):
    bench.use_analysis(monkeypatch, bench.gates)
    executor, options = bench.executor(), ChangeOptions(run="r")
    executor.record("run started", 2, options)
    executor.record("analysis passed", 2, options)
    executor.record("step completed", 2, options, {"weight": 5})
    code = cli.main(["run", "2", "--dry-run", "--json", "--config", str(bench.file)])
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert code == Exit.DONE
    assert not any(
        step.startswith(("analysis without", "wait", "step at weight 5 %")) for step in plan
    )
    assert any(step.startswith("step at weight 25 %") for step in plan)


@pytest.mark.parametrize("config", [INITIAL, WITH_PREVIOUS], ids=["latest", "specific"])
def test_publish_needs_no_replica(tmp_path, monkeypatch, capsys, config):
    def raise_not_known(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    on_disk = (1,) if config is INITIAL else (1, 2)
    bench = Bench(tmp_path, monkeypatch, config=config, on_disk=on_disk)
    monkeypatch.setattr(socket, "getaddrinfo", raise_not_known)
    line = ["publish", str(bench.export(3)), "--config", str(bench.file)]
    line += ["--targets", "dns:///replicas:8500"]
    assert cli.main([*line, "--dry-run"]) == Exit.DONE
    assert cli.main(line) == Exit.DONE, capsys.readouterr().err
    assert bench.contents()[max(on_disk) + 1] == "content 3"
    assert bench.recorded.policy.versions == set(on_disk)  # no server loads it by itself
    assert cli.main([*line[:1], *line[2:], "--dry-run", str(bench.folder / "gone")]) == 2


def test_publish_does_not_wait_for_a_replica_that_is_down(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, config=INITIAL)
    bench.replicas.servers[1].error = "UNAVAILABLE gone"
    assert bench.execute("publish", folder=str(bench.export(2)), version=None) is Exit.DONE
    assert bench.recorded.policy.versions == {1}
    assert bench.loaded("a:1") == {1}
