"""The page for Prometheus, word for word as TensorFlow Serving writes it."""

from __future__ import annotations

import tracemalloc

import pytest
from seq2sum_serving.embedded.monitoring import exposition, metrics

COUNTER = "/tensorflow/serving/tests/served_total"
HISTOGRAM = "/tensorflow/serving/tests/sizes"
PLAIN = "/tensorflow/serving/tests/plain"


@pytest.fixture
def declared():
    """Metrics of each kind, known to the page for the time of a test."""
    made = {
        COUNTER: metrics._counter(COUNTER, "zone", "api"),
        HISTOGRAM: metrics._histogram(HISTOGRAM, metrics._exponential(1, 2, 3), "zone"),
        PLAIN: metrics._histogram(PLAIN, metrics._exponential(10, 1.8, 2), unseen_until_used=True),
    }
    yield made
    for name, metric in made.items():
        metrics.REGISTRY.unregister(metric)
        del metrics.METRICS[name]
    metrics.UNSEEN_UNTIL_USED.discard(PLAIN)


def lines(name):
    written = name.replace("/", ":")
    return [
        line.replace(written, "it") for line in exposition.page().splitlines() if written in line
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (COUNTER, ["# TYPE it counter"]),
        (HISTOGRAM, ["# TYPE it histogram"]),
        (PLAIN, []),
    ],
)
def test_before_the_first_value_there_is_a_type_at_most(declared, name, expected):
    assert name in declared
    assert lines(name) == expected


def test_a_counter_keeps_its_name_and_its_labels_their_order(declared):
    declared[COUNTER].labels("b", "x").inc()
    declared[COUNTER].labels("a", 'quote " and \\').inc(1_000_000_000)
    assert lines(COUNTER) == [
        "# TYPE it counter",
        r'it{zone="a",api="quote \" and \\"} 1000000000',
        'it{zone="b",api="x"} 1',
    ]


def test_a_value_that_equals_a_limit_is_in_the_bucket_above(declared):
    for value in (0.5, 1, 2, 4, 1234567):
        declared[HISTOGRAM].labels("a").observe(value)
    assert lines(HISTOGRAM) == [
        "# TYPE it histogram",
        'it_bucket{zone="a",le="1"} 1',
        'it_bucket{zone="a",le="2"} 2',
        'it_bucket{zone="a",le="4"} 3',
        'it_bucket{zone="a",le="+Inf"} 5',
        'it_sum{zone="a"} 1.23457e+06',
        'it_count{zone="a"} 5',
    ]


def test_braces_are_there_without_labels_as_well(declared):
    declared[PLAIN].observe(11)
    assert lines(PLAIN) == [
        "# TYPE it histogram",
        'it_bucket{le="10"} 0',
        'it_bucket{le="18"} 1',
        'it_bucket{le="+Inf"} 1',
        "it_sum{} 11",
        "it_count{} 1",
    ]


def test_every_metric_has_a_type_and_nothing_else_is_said():
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


def test_the_first_cell_is_that_of_the_first_labels(declared):
    assert exposition.first_cell(COUNTER) == 0
    declared[COUNTER].labels("b", "x").inc(5)
    assert exposition.first_cell(COUNTER) == 5
    declared[COUNTER].labels("a", "x").inc(2)
    assert exposition.first_cell(COUNTER) == 2


def test_the_first_cell_of_a_distribution_or_of_nothing_is_zero(declared):
    declared[HISTOGRAM].labels("a").observe(7)
    assert exposition.first_cell(HISTOGRAM) == 0
    assert exposition.first_cell("nope") == 0


def test_a_cell_is_looked_up_once(declared):
    found = metrics.cell(declared[COUNTER], "a", "x")
    assert found is declared[COUNTER].labels("a", "x")
    assert metrics.cell(declared[COUNTER], "a", "x") is found


def test_the_page_takes_little_more_memory_than_its_text(declared):
    """It is as long as a server has loaded versions, and is read every few seconds."""
    for number in range(1000):
        declared[HISTOGRAM].labels(f"/models/seq2sum/{number}").observe(number)
    tracemalloc.start()
    try:
        page = exposition.page()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 5 * len(page)
