"""docs/capacity.md: replicas and limits, by tables; and that the page says what was measured."""

from __future__ import annotations

import shutil

import capacity
import capacity_figures
import capacity_tables
import pytest
import yaml
from capacity_figures import REAL, SERVERS, SHAPES
from capacity_plan import (
    DNS_SIZES,
    LOAD_SHARE,
    LOAD_SHARE_AFTER_LOSS,
    ZONES,
    Resources,
    answer_bytes,
    break_even,
    in_zone,
    most_addresses,
    replicas,
    resources,
    stall,
)
from conftest import ROOT
from deploy import compose_file
from dnslib import EDNS0, QTYPE, RR, A, DNSRecord

DOCS = ROOT / "docs"
PAGE = DOCS / "capacity.md"
SERVING = ROOT / "serving" / "kubernetes" / "base" / "serving.yaml"
MEBIBYTES = {"m": 1, "g": 1024, "Mi": 1, "Gi": 1024}


@pytest.fixture(scope="module")
def figures():
    return capacity_figures.read(DOCS)


@pytest.fixture(scope="module")
def tables(figures):
    return capacity_tables.tables(figures)


def test_the_page_says_what_was_measured(tables):
    page = PAGE.read_text()
    assert capacity.filled(page, tables) == page, "run `make capacity`"


@pytest.mark.parametrize(
    ("rate", "of_one", "count"),
    [
        (0, 1000, 3),  # one in each zone
        (1000, 1000, 3),  # two of them still have 0.9 of 2000 to give
        (1800, 1000, 3),
        (2000, 1000, 5),  # of four two may be in one zone, and the others have 1800 to give
        (100_000, 3400, 50),
        (10_000_000, 3400, 4902),
    ],
)
def test_replicas_for_a_rate(rate, of_one, count):
    assert replicas(rate, of_one) == count


@pytest.mark.parametrize("rate", [1, 999, 1000, 12_345, 100_000, 9_999_999])
@pytest.mark.parametrize("of_one", [700.0, 3400.0, 1_220_000.0])
def test_every_fleet_holds_its_shares_and_none_is_larger_than_that(rate, of_one):
    def holds(count):
        left = count - in_zone(count)
        return (
            count >= ZONES
            and rate <= LOAD_SHARE * of_one * count
            and rate <= LOAD_SHARE_AFTER_LOSS * of_one * left
        )

    count = replicas(rate, of_one)
    assert holds(count)
    assert not holds(count - 1)


def test_more_load_never_takes_fewer_replicas():
    counts = [replicas(rate, 1000) for rate in range(0, 60_000, 97)]
    assert counts == sorted(counts)


def test_a_replica_may_stand_still_until_all_threads_but_one_are_taken():
    assert stall(256, 2040) == pytest.approx(0.125)
    assert stall(1, 2040) == 0


@pytest.mark.parametrize("addresses", [0, 1, 3, 100, 300])
def test_dns_answers_are_as_large_as_dns_makes_them(addresses):
    name = capacity_tables.NAME
    reply = DNSRecord.question(name).reply()
    for number in range(addresses):
        reply.add_answer(RR(name, QTYPE.A, rdata=A(f"10.0.{number // 256}.{number % 256}"), ttl=5))
    reply.add_ar(EDNS0(udp_len=1232))
    assert answer_bytes(name, addresses) == len(reply.pack())


@pytest.mark.parametrize("size", DNS_SIZES.values())
def test_the_most_addresses_fit_and_one_more_does_not(size):
    most = most_addresses(capacity_tables.NAME, size)
    assert answer_bytes(capacity_tables.NAME, most) <= size
    assert answer_bytes(capacity_tables.NAME, most + 1) > size


@pytest.mark.parametrize(
    ("single", "many", "share"),
    [
        ((2, 1), (10, 20), 1 / 11),  # saves a half of one, and loses a twentieth
        ((2, 1), (20, 10), 0),  # better for all
        ((1, 1), (20, 10), 0),
        ((1, 2), (10, 20), None),  # better for none
        ((1, 2), (20, 10), None),
    ],
)
def test_batching_pays_from_a_share_of_single_questions_on(single, many, share):
    found = break_even(single, many)
    assert found == (None if share is None else pytest.approx(share))


def test_memory_is_asked_for_in_steps_with_room_to_the_limit():
    assert resources(1, 1) == Resources(256, 256)
    assert resources(900, 1000) == Resources(1024, 1536)


def test_the_real_server_is_planned_with_the_lower_of_what_was_measured(figures):
    for shape in SHAPES:
        row = figures.real[shape]
        assert figures.rates[REAL, shape] == min(row["on"], row["intra-op 1"])


def test_every_shape_was_measured_on_every_server(figures):
    assert set(figures.rates) == {(name, shape) for name in SERVERS for shape in SHAPES}
    assert set(figures.weights) == {shape.rows for shape in SHAPES}


def test_containers_have_room_for_what_was_measured(figures):
    """Kubernetes' container and compose's, both with the stock image."""
    given = [capacity_tables.container_needs(figures, recipe) for recipe in figures.memory]
    most = max(each.limit for each in given)
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


def test_what_is_written_by_hand_stays():
    page = "# Mine\n\n<!-- table: one -->\nold\n<!-- end -->\n\nafter\n"
    filled = capacity.filled(page, {"one": "new"})
    assert filled == "# Mine\n\n<!-- table: one -->\nnew\n<!-- end -->\n\nafter\n"
    assert capacity.filled(filled, {"one": "new"}) == filled


@pytest.mark.parametrize("tables", [{}, {"one": "", "two": ""}, {"two": ""}])
def test_a_page_that_lacks_a_table_or_has_an_unknown_one_is_an_error(tables):
    with pytest.raises(SystemExit, match=r"do not agree: (one|two)"):
        capacity.filled("<!-- table: one -->\n<!-- end -->\n", tables)


def test_a_table_that_is_there_twice_is_an_error():
    with pytest.raises(SystemExit, match="there twice"):
        capacity.filled("<!-- table: one -->\n<!-- end -->\n" * 2, {"one": ""})


def test_the_command_writes_the_page(tmp_path, monkeypatch):
    for source in [*DOCS.glob("*.json"), PAGE]:
        shutil.copy(source, tmp_path)
    (tmp_path / PAGE.name).write_text(PAGE.read_text().replace("| 10,000,000 |", "| stale |"))
    monkeypatch.setattr("sys.argv", ["capacity.py", "--docs", str(tmp_path)])
    assert capacity.main() == 0
    assert (tmp_path / PAGE.name).read_text() == PAGE.read_text()


def test_the_command_prints_tables_for_rates_of_ones_own(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["capacity.py", "--rate", "250000"])
    assert capacity.main() == 0
    printed = capsys.readouterr().out
    assert "| 250,000 | 4,096 a call |" in printed
    assert "| at 250,000/s |" in printed


def test_what_was_not_measured_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"server.json is missing"):
        capacity_figures.read(tmp_path)
