"""The policy file: defaults in one place, and errors that name file, section and key."""

from __future__ import annotations

import tomllib

import pytest
from msgspec.structs import fields, replace
from seq2sum_serving.deployment.errors import Exit, UsageError
from seq2sum_serving.gates import policy


@pytest.fixture
def policy_file(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_default_file_has_every_key_and_no_other():
    document = tomllib.loads(policy.default_text())
    keys = {name: list(section.__struct_fields__) for name, section in policy.SECTIONS.items()}
    assert {section: list(table) for section, table in document.items()} == keys


def test_no_default_is_in_code():
    for section in policy.SECTIONS.values():
        assert all(field.required for field in fields(section))


def test_every_section_and_key_of_the_default_file_has_a_comment():
    above = ""
    for line in policy.default_text().splitlines():
        if line and not line.startswith("#"):
            explained = "#" in line or above.startswith("#") or line == "probes_per_second = 10.0"
            assert explained or line.startswith("["), line
        above = line


def test_defaults():
    limits = policy.default()
    assert limits.golden == policy.GoldenPolicy(min_accuracy=0.999, max_drop=0.0)
    assert limits.latency.rows == (1, 64)
    assert limits.traffic == policy.TrafficPolicy(
        steps=(5, 25, 50), mirror=5.0, bake=60.0, settle=3.0, unlabelled_callers="some"
    )
    assert limits.memory == policy.MemoryPolicy(
        query="", candidate_query="", max_megabytes=0.0, max_growth=2.0
    )
    assert (limits.metrics.stable, limits.metrics.candidate) == ('job="serving"', 'job="candidate"')


def test_file_overrides_single_keys(policy_file):
    limits = policy.read(policy_file("[golden]\nmin_accuracy = 0\n[traffic]\nsteps = [10]\n"))
    before = policy.default()
    assert limits == replace(
        before,
        golden=replace(before.golden, min_accuracy=0.0),
        traffic=replace(before.traffic, steps=(10,)),
    )
    assert isinstance(limits.golden.min_accuracy, float)


@pytest.mark.parametrize("text", ["", "# nothing\n", "[golden]\n", policy.default_text()])
def test_file_without_changes(policy_file, text):
    assert policy.read(policy_file(text)) == policy.default()


NUMBERS = "a list of whole numbers from 1 to 100, each larger than the one before it"


ERRORS = {
    "unknown key": (
        "[golden]\nmax_dorp = 1\n",
        "[golden] has no key max_dorp: did you mean max_drop?",
    ),
    "unlike any key": (
        "[golden]\nq = 1\n",
        "[golden] has no key q: expected one of min_accuracy, max_drop",
    ),
    "key with a backtick": ('[golden]\n"a`b" = 1\n', "[golden] has no key a`b: expected"),
    "unknown section": ("[latancy]\n", "no section is called [latancy]: did you mean latency?"),
    "unlike any section": ("[q]\n", "no section is called [q]: expected one of golden, "),
    "value for a section": (
        "golden = 1\n",
        "golden is a section: write [golden] and its keys below it",
    ),
    "list of sections": ("[[golden]]\nmax_drop = 1\n", "golden is a section"),
    "percent for a share": (
        "[golden]\nmax_drop = 99.9\n",
        "[golden] max_drop = 99.9: expected a number from 0 to 1",
    ),
    "nan": ("[golden]\nmax_drop = nan\n", "max_drop = nan: expected a number"),
    "below": ("[golden]\nmax_drop = -0.1\n", "max_drop = -0.1: expected a number"),
    "bool for a number": ("[golden]\nmax_drop = true\n", "max_drop = True: expected"),
    "text for a number": ('[golden]\nmax_drop = "1"\n', "max_drop = '1': expected a number"),
    "infinity": ("[load]\ntimeout = inf\n", "timeout = inf: expected a number from 0.1"),
    "zero": ("[load]\ntimeout = 0\n", "timeout = 0: expected a number from 0.1 to 604800"),
    "float for a whole number": (
        "[latency]\nsamples = 200.0\n",
        "[latency] samples = 200.0: expected a whole number from 1 to 100000",
    ),
    "too small": ("[live]\nmin_calls = 0\n", "min_calls = 0: expected a whole number from 1"),
    "table for a number": ("[live.min_calls]\na = 1\n", "min_calls = {'a': 1}: expected"),
    "falling steps": (
        "[traffic]\nsteps = [50, 5]\n",
        f"[traffic] steps = [50, 5]: expected {NUMBERS}",
    ),
    "repeated step": ("[traffic]\nsteps = [5, 5]\n", f"steps = [5, 5]: expected {NUMBERS}"),
    "no step": ("[traffic]\nsteps = []\n", f"steps = []: expected {NUMBERS}"),
    "above 100 %": ("[traffic]\nsteps = [5, 101]\n", f"steps = [5, 101]: expected {NUMBERS}"),
    "bool as a step": ("[traffic]\nsteps = [true]\n", "steps = [True]: expected a list"),
    "no list": ("[traffic]\nsteps = 5\n", "steps = 5: expected a list"),
    "list of texts": ('[latency]\nrows = ["1"]\n', "rows = ['1']: expected a list"),
    "number for a text": ("[memory]\nquery = 3\n", "query = 3: expected text in quotes"),
    "limit without a query": (
        "[memory]\nmax_megabytes = 100\n",
        "[memory] max_megabytes needs [memory] query, the PromQL",
    ),
    "query of the candidate group only": (
        '[memory]\ncandidate_query = "x"\n',
        "[memory] candidate_query needs [memory] query, the PromQL",
    ),
    "selector without quotes": (
        '[metrics]\nstable = "job=serving"\n',
        "[metrics] stable = 'job=serving': expected label matchers of PromQL without braces",
    ),
    "selector in braces": ("[metrics]\ncandidate = '{job=\"a\"}'\n", "expected label matchers"),
    "selector that ends a query": ("[metrics]\nstable = 'job=\"a\"} or up{'\n", "expected label"),
    "selector that ends with a comma": ("[metrics]\nstable = 'job=\"a\",'\n", "expected label"),
    "one group twice": (
        "[metrics]\nstable = 'job=\"candidate\"'\n",
        "[metrics] stable and candidate select the same servers",
    ),
    "long value": (
        f'[golden]\nmax_drop = "{"x" * 100}"\n',
        f"max_drop = '{'x' * 56}...: expected a number",
    ),
    "not TOML": ("[golden\n", "is not TOML"),
    "not text": (b"\xff", "is not UTF-8"),
}


@pytest.mark.parametrize(("text", "expected"), ERRORS.values(), ids=ERRORS)
def test_error_names_file_section_and_key(policy_file, text, expected):
    path = policy_file(text)
    with pytest.raises(UsageError) as caught:
        policy.read(path)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)
    assert caught.value.code is Exit.USAGE


def test_missing_file(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the policy file .*none\.toml: No such file"):
        policy.read(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "text",
    [
        "[golden]\nmin_accuracy = 1\nmax_drop = 1.0\n",
        "[latency]\nwarm_up = 0\nsamples = 1\nrows = [65536]\n",
        "[traffic]\nsteps = [1, 100]\nbake = 0\nsettle = 0\n",
        '[memory]\nquery = "x"\ncandidate_query = "y"\nmax_megabytes = 0.5\n',
        '[metrics]\nstable = ""\ncandidate = ""\n',
        """[metrics]\nstable = 'a=~"x|\\"y.*", b!="{}",c !~ "1"'\n""",
    ],
)
def test_bounds_are_inclusive(policy_file, text):
    policy.read(policy_file(text))
