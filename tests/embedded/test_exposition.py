"""The metrics page for Prometheus: byte for byte in TensorFlow Serving's format."""

from __future__ import annotations

import tracemalloc

import pytest
from seq2sum_serving.embedded.monitoring import exposition, metrics
from seq2sum_serving.embedded.monitoring.metric_types import Counter, Histogram

COUNTER = "/tensorflow/serving/tests/served_total"
HISTOGRAM = "/tensorflow/serving/tests/sizes"
UNLABELLED = "/tensorflow/serving/tests/unlabelled"


@pytest.fixture
def registered(monkeypatch):
    """Metrics of each kind, on the page during a test."""
    made = {
        COUNTER: Counter("zone", "api"),
        HISTOGRAM: Histogram(metrics._exponential(1, 2, 3), "zone"),
        UNLABELLED: Histogram(metrics._exponential(10, 1.8, 2), hidden_until_used=True),
    }
    for name, metric in made.items():
        monkeypatch.setitem(metrics.METRICS, name, metric)
    return made


def lines(name):
    exported = name.replace("/", ":")
    return [
        line.replace(exported, "it") for line in exposition.page().splitlines() if exported in line
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (COUNTER, ["# TYPE it counter"]),
        (HISTOGRAM, ["# TYPE it histogram"]),
        (UNLABELLED, []),
    ],
)
def test_unused_metric_has_at_most_a_type(registered, name, expected):
    assert name in registered
    assert lines(name) == expected


def test_counter_keeps_its_name_and_the_order_of_its_labels(registered):
    registered[COUNTER].labels("b", "x").inc()
    registered[COUNTER].labels("a", 'quote " and \\').inc(1_000_000_000)
    assert lines(COUNTER) == [
        "# TYPE it counter",
        r'it{zone="a",api="quote \" and \\"} 1000000000',
        'it{zone="b",api="x"} 1',
    ]


def test_value_that_equals_a_bound_is_in_the_bucket_above(registered):
    for value in (0.5, 1, 2, 4, 1234567):
        registered[HISTOGRAM].labels("a").observe(value)
    assert lines(HISTOGRAM) == [
        "# TYPE it histogram",
        'it_bucket{zone="a",le="1"} 1',
        'it_bucket{zone="a",le="2"} 2',
        'it_bucket{zone="a",le="4"} 3',
        'it_bucket{zone="a",le="+Inf"} 5',
        'it_sum{zone="a"} 1.23457e+06',
        'it_count{zone="a"} 5',
    ]


def test_unlabelled_metric_has_braces(registered):
    registered[UNLABELLED].observe(11)
    assert lines(UNLABELLED) == [
        "# TYPE it histogram",
        'it_bucket{le="10"} 0',
        'it_bucket{le="18"} 1',
        'it_bucket{le="+Inf"} 1',
        "it_sum{} 11",
        "it_count{} 1",
    ]


def test_page_has_a_type_for_every_metric_and_no_help():
    page = exposition.page()
    assert page.endswith("\n")
    assert "# HELP" not in page
    assert "_created" not in page
    for name, kind in {
        "request_count": "counter",
        "request_latency": "histogram",
        "mlmd_map": "gauge",
        "request_example_count_total": "counter",
        "batching_session:wrapped_run_count": "counter",
    }.items():
        assert f"# TYPE :tensorflow:serving:{name} {kind}\n" in page


def test_first_cell_is_that_of_the_first_labels(registered):
    assert exposition.first_cell(COUNTER) == 0
    registered[COUNTER].labels("b", "x").inc(5)
    assert exposition.first_cell(COUNTER) == 5
    registered[COUNTER].labels("a", "x").inc(2)
    assert exposition.first_cell(COUNTER) == 2


def test_first_cell_of_a_distribution_or_an_unknown_metric_is_zero(registered):
    registered[HISTOGRAM].labels("a").observe(7)
    assert exposition.first_cell(HISTOGRAM) == 0
    assert exposition.first_cell("nope") == 0


def test_labels_return_one_cell_and_must_all_be_given(registered):
    assert registered[COUNTER].labels("a", "x") is registered[COUNTER].labels("a", "x")
    with pytest.raises(ValueError, match=r"expected values for \('zone', 'api'\)"):
        registered[COUNTER].labels("a")


def test_page_takes_little_more_memory_than_its_text(registered):
    """The page grows with every version that is loaded, and is scraped every few seconds."""
    for number in range(1000):
        registered[HISTOGRAM].labels(f"/models/seq2sum/{number}").observe(number)
    tracemalloc.start()
    try:
        page = exposition.page()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(page)
