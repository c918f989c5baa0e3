"""docs/capacity.md: its computed replicas and limits, and its tables."""

from __future__ import annotations

import pytest
import yaml
from deploy import compose_file
from dnslib import EDNS0, QTYPE, RR, A, DNSRecord
from support.paths import ROOT

from benchmarks.capacity import figures as capacity_figures
from benchmarks.capacity import page as capacity_page
from benchmarks.capacity import tables as capacity_tables
from benchmarks.capacity.figures import REAL, SERVERS, SHAPES
from benchmarks.capacity.sizing import (
    DNS_SIZES,
    UTILIZATION,
    UTILIZATION_AFTER_LOSS,
    ZONES,
    Resources,
    break_even,
    dns_answer_bytes,
    in_largest_zone,
    longest_stall,
    max_addresses,
    replicas,
    resources,
)

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "capacity.md"
SERVING = ROOT / "serving" / "kubernetes" / "base" / "serving.yaml"
MEBIBYTES = {"m": 1, "g": 1024, "Mi": 1, "Gi": 1024}


@pytest.fixture(scope="module")
def figures():
    return capacity_figures.read(RESULTS)


@pytest.fixture(scope="module")
def tables(figures):
    return capacity_tables.tables(figures)


def test_page_agrees_with_the_results(tables):
    page = PAGE.read_text()
    assert capacity_page.fill_in(page, tables) == page, "run `make capacity`"


@pytest.mark.parametrize(
    ("rate", "capacity", "count"),
    [
        (0, 1000, 3),  # one in each zone
        (1000, 1000, 3),  # without one zone, two replicas handle 0.9 x 2000
        (1800, 1000, 3),
        (2000, 1000, 5),  # of four, one zone may hold two, and the others handle only 1800
        (100_000, 3400, 50),
        (10_000_000, 3400, 4902),
    ],
)
def test_replicas_for_a_rate(rate, capacity, count):
    assert replicas(rate, capacity) == count


@pytest.mark.parametrize("rate", [1, 999, 1000, 12_345, 100_000, 9_999_999])
@pytest.mark.parametrize("capacity", [700.0, 3400.0, 1_220_000.0])
def test_replicas_are_the_fewest_that_stay_within_the_utilization(rate, capacity):
    def holds(count):
        left = count - in_largest_zone(count)
        return (
            count >= ZONES
            and rate <= UTILIZATION * capacity * count
            and rate <= UTILIZATION_AFTER_LOSS * capacity * left
        )

    count = replicas(rate, capacity)
    assert holds(count)
    assert not holds(count - 1)


def test_higher_rate_never_needs_fewer_replicas():
    counts = [replicas(rate, 1000) for rate in range(0, 60_000, 97)]
    assert counts == sorted(counts)


def test_stall_lasts_until_all_threads_but_one_are_taken():
    assert longest_stall(256, 2040) == pytest.approx(0.125)
    assert longest_stall(1, 2040) == 0


@pytest.mark.parametrize("addresses", [0, 1, 3, 100, 300])
def test_size_of_dns_answers_is_exact(addresses):
    name = capacity_tables.NAME
    reply = DNSRecord.question(name).reply()
    for number in range(addresses):
        reply.add_answer(RR(name, QTYPE.A, rdata=A(f"10.0.{number // 256}.{number % 256}"), ttl=5))
    reply.add_ar(EDNS0(udp_len=1232))
    assert dns_answer_bytes(name, addresses) == len(reply.pack())


@pytest.mark.parametrize("size", DNS_SIZES.values())
def test_max_addresses_fit_and_one_more_does_not(size):
    most = max_addresses(capacity_tables.NAME, size)
    assert dns_answer_bytes(capacity_tables.NAME, most) <= size
    assert dns_answer_bytes(capacity_tables.NAME, most + 1) > size


@pytest.mark.parametrize(
    ("single", "bulk", "share"),
    [
        ((2, 1), (10, 20), 1 / 11),  # saves 1/2 s per single question, loses 1/20 s per other
        ((2, 1), (20, 10), 0),  # faster for both
        ((1, 1), (20, 10), 0),
        ((1, 2), (10, 20), None),  # slower for both
        ((1, 2), (20, 10), None),
    ],
)
def test_break_even_share_of_single_questions(single, bulk, share):
    found = break_even(single, bulk)
    assert found == (None if share is None else pytest.approx(share))


def test_memory_is_rounded_up_and_the_limit_exceeds_the_peak():
    assert resources(1, 1) == Resources(256, 256)
    assert resources(900, 1000) == Resources(1024, 1536)


def test_real_server_is_planned_with_the_lower_figure(figures):
    for shape in SHAPES:
        row = figures.real[shape]
        assert figures.rates[REAL, shape] == min(row["on"], row["intra-op 1"])


def test_every_load_was_measured_on_every_server(figures):
    assert set(figures.rates) == {(name, shape) for name in SERVERS for shape in SHAPES}
    assert set(figures.call_bytes) == {shape.rows for shape in SHAPES}


def test_containers_have_the_computed_memory(figures):
    """Checks the containers of Kubernetes and compose that run TensorFlow Serving's image."""
    needed = [capacity_tables.container_resources(figures, recipe) for recipe in figures.memory]
    most = max(each.limit for each in needed)
    service = compose_file.services()["serving"]
    assert mebibytes(service["mem_limit"]) >= most
    assert float(service["cpus"]) == capacity_tables.CPUS
    deployment = next(
        each for each in yaml.safe_load_all(SERVING.read_text()) if each["kind"] == "Deployment"
    )
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert int(container["resources"]["requests"]["cpu"]) == capacity_tables.CPUS
    assert "cpu" not in container["resources"]["limits"]
    assert mebibytes(container["resources"]["limits"]["memory"]) >= most


def mebibytes(text):
    unit = next(unit for unit in MEBIBYTES if text.endswith(unit))
    return int(text.removesuffix(unit)) * MEBIBYTES[unit]


def test_text_outside_the_tables_is_kept():
    page = "# Mine\n\n<!-- table: one -->\nold\n<!-- end -->\n\nafter\n"
    page_with_table = capacity_page.fill_in(page, {"one": "new"})
    assert page_with_table == "# Mine\n\n<!-- table: one -->\nnew\n<!-- end -->\n\nafter\n"
    assert capacity_page.fill_in(page_with_table, {"one": "new"}) == page_with_table


@pytest.mark.parametrize("tables", [{}, {"one": "", "two": ""}, {"two": ""}])
def test_missing_or_unknown_table_is_an_error(tables):
    with pytest.raises(SystemExit, match=r"differ from the computed ones: (one|two)"):
        capacity_page.fill_in("<!-- table: one -->\n<!-- end -->\n", tables)


def test_repeated_table_is_an_error():
    with pytest.raises(SystemExit, match="a table is repeated"):
        capacity_page.fill_in("<!-- table: one -->\n<!-- end -->\n" * 2, {"one": ""})


def test_command_writes_the_page(tmp_path, monkeypatch):
    page = tmp_path / PAGE.name
    page.write_text(PAGE.read_text().replace("| 10,000,000 |", "| stale |"))
    monkeypatch.setattr("sys.argv", ["page.py", "--page", str(page)])
    assert capacity_page.main() == 0
    assert page.read_text() == PAGE.read_text()


def test_command_prints_tables_for_other_rates(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["page.py", "--rate", "250000"])
    assert capacity_page.main() == 0
    printed = capsys.readouterr().out
    assert "| 250,000 | 4,096 per call |" in printed
    assert "| at 250,000/s |" in printed


def test_missing_result_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"server.json is missing"):
        capacity_figures.read(tmp_path)
