"""The policy file: defaults from one place, and every mistake named with its place."""

from __future__ import annotations

import dataclasses
import tomllib

import pytest
from seq2sum_serving.deployment.errors import Exit, UsageError
from seq2sum_serving.gates import policy


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_the_file_of_defaults_has_every_key_and_no_other():
    document = tomllib.loads(policy.default_text())
    fields = {
        section.name: [
            key.name for key in dataclasses.fields(getattr(policy.default(), section.name))
        ]
        for section in dataclasses.fields(policy.GatePolicy)
    }
    assert {section: list(keys) for section, keys in document.items()} == fields


def test_no_default_is_written_in_code():
    for section in dataclasses.fields(policy.GatePolicy):
        for key in dataclasses.fields(getattr(policy.default(), section.name)):
            assert key.default is dataclasses.MISSING
            assert key.default_factory is dataclasses.MISSING


def test_every_section_and_key_of_the_defaults_is_explained():
    above = ""
    for line in policy.default_text().splitlines():
        if line and not line.startswith("#"):
            explained = "#" in line or above.startswith("#") or line == "probes_per_second = 10.0"
            assert explained or line.startswith("["), line
        above = line


def test_the_defaults_are_those_that_the_file_says():
    limits = policy.default()
    assert limits.golden == policy.GoldenPolicy(floor=0.999, drop=0.0)
    assert limits.latency.rows == (1, 64)
    assert limits.traffic == policy.TrafficPolicy(steps=(5, 25, 50), bake=60.0, settle=3.0)
    assert limits.memory == policy.MemoryPolicy(query="", most_megabytes=0.0, growth=2.0)


def test_a_file_changes_single_keys(written):
    limits = policy.read(written("[golden]\nfloor = 0\n[traffic]\nsteps = [10]\n"))
    before = policy.default()
    assert limits == dataclasses.replace(
        before,
        golden=dataclasses.replace(before.golden, floor=0.0),
        traffic=dataclasses.replace(before.traffic, steps=(10,)),
    )
    assert isinstance(limits.golden.floor, float)


@pytest.mark.parametrize("text", ["", "# nothing\n", "[golden]\n", policy.default_text()])
def test_a_file_that_changes_nothing_gives_the_defaults(written, text):
    assert policy.read(written(text)) == policy.default()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "[golden]\nflor = 1\n", "[golden] has no key flor: did you mean floor?", id="key"
        ),
        pytest.param(
            "[golden]\nq = 1\n", "[golden] has no key q: there are floor, drop", id="another key"
        ),
        pytest.param(
            "[latancy]\n", "there is no section [latancy]: did you mean latency?", id="section"
        ),
        pytest.param(
            "golden = 1\n", "golden is a section: write [golden] and its keys below it", id="value"
        ),
        pytest.param("[[golden]]\nfloor = 1\n", "golden is a section", id="list of sections"),
        pytest.param(
            "[golden]\nfloor = 99.9\n",
            "[golden] floor = 99.9: it takes a number from 0 to 1",
            id="percent for a share",
        ),
        pytest.param("[golden]\nfloor = nan\n", "floor = nan: it takes", id="nan"),
        pytest.param("[golden]\ndrop = -0.1\n", "drop = -0.1: it takes", id="below"),
        pytest.param("[golden]\nfloor = true\n", "floor = True: it takes", id="bool for a number"),
        pytest.param('[golden]\nfloor = "1"\n', "floor = '1': it takes", id="text for a number"),
        pytest.param("[load]\ntimeout = inf\n", "timeout = inf: it takes", id="infinity"),
        pytest.param("[load]\ntimeout = 0\n", "timeout = 0: it takes a number from 0.1", id="zero"),
        pytest.param(
            "[latency]\nsamples = 200.0\n",
            "samples = 200.0: it takes a whole number from 1 to 100000",
            id="decimal for a whole number",
        ),
        pytest.param("[live]\nfewest = 0\n", "fewest = 0: it takes a whole number", id="none"),
        pytest.param(
            "[traffic]\nsteps = [50, 5]\n",
            "steps = [50, 5]: it takes a list of whole numbers from 1 to 100, each larger than",
            id="steps that fall",
        ),
        pytest.param("[traffic]\nsteps = [5, 5]\n", "steps = [5, 5]: it takes", id="a step twice"),
        pytest.param("[traffic]\nsteps = []\n", "steps = []: it takes", id="no step"),
        pytest.param("[traffic]\nsteps = [5, 101]\n", "steps = [5, 101]: it takes", id="percent"),
        pytest.param("[traffic]\nsteps = 5\n", "steps = 5: it takes a list", id="no list"),
        pytest.param('[latency]\nrows = ["1"]\n', "rows = ['1']: it takes a list", id="texts"),
        pytest.param("[memory]\nquery = 3\n", "query = 3: it takes text in quotes", id="query"),
        pytest.param(
            "[memory]\nmost_megabytes = 100\n",
            "[memory] most_megabytes is a limit on what nobody asks for",
            id="a limit without a query",
        ),
        pytest.param("[golden\n", "is not TOML", id="no TOML"),
        pytest.param(b"\xff", "is not UTF-8", id="no text"),
    ],
)
def test_a_mistake_is_named_with_file_section_and_key(written, text, expected):
    path = written(text)
    with pytest.raises(UsageError) as caught:
        policy.read(path)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)
    assert caught.value.code is Exit.USAGE


def test_a_file_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the policy file .*none\.toml: No such file"):
        policy.read(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "text",
    [
        "[golden]\nfloor = 1\ndrop = 1.0\n",
        "[latency]\nwarm_up = 0\nsamples = 1\nrows = [65536]\n",
        "[traffic]\nsteps = [1, 100]\nbake = 0\nsettle = 0\n",
        '[memory]\nquery = "x"\nmost_megabytes = 0.5\n',
    ],
)
def test_both_ends_of_what_a_key_takes_are_taken(written, text):
    policy.read(written(text))
