"""Files of versions that were in service bind later versions; those of other versions do not."""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment import in_service
from seq2sum_serving.deployment.event_log import Event
from seq2sum_serving.deployment.model_store import ModelStore


def stable(version):
    return Event("labels set", details={"stable": version, "canary": version})


LABELS = {"stable": 4, "canary": 5, "previous": 3}
HISTORIES = {
    "none": ([], {3, 4}),
    "other labels set": ([Event("labels set", details={"canary": 2})], {3, 4}),
    "former stable versions": ([stable(1), stable(2)], {1, 2, 3, 4}),
    "published, loaded, canary": (
        [Event("published", 1), Event("analysis passed", 1), Event("canary started", 1)],
        {3, 4},
    ),
    "promotion that did not happen": ([Event("promoted", 1)], {3, 4}),
    "failed": ([Event("failed", 2)], {3, 4}),
    "rolled back": ([stable(2), Event("rolled back", 2), stable(1)], {1, 3, 4}),
    "aborted": ([stable(2), Event("aborted", 2)], {3, 4}),
    "previous that was rolled back": ([stable(3), Event("rolled back", 3)], {4}),
    "stable again": ([stable(2), Event("rolled back", 2), stable(2)], {2, 3, 4}),
    "promoted again": ([Event("rolled back", 4), Event("promoted", 4)], {3, 4}),
    "retired": ([stable(2), Event("retired", 2)], {2, 3, 4}),
    "edited by hand": ([Event("labels set", details={"stable": "two"})], {3, 4}),
}


@pytest.mark.parametrize(("events", "expected"), HISTORIES.values(), ids=HISTORIES)
def test_versions_in_service(events, expected):
    assert in_service.versions(events, LABELS) == expected


def read(folder):
    path = folder / "file"
    if not path.exists():
        return None
    if path.read_text() == "broken":
        raise ValueError(path)
    return path.read_text()


def test_nearest_file(tmp_path):
    def nearest(version, *events, labels=None):
        return in_service.nearest_file(ModelStore(tmp_path), version, events, labels or {}, read)

    history = (stable(1), stable(2), stable(8), Event("rolled back", 2), stable(4), stable(7))
    for version in range(1, 8):
        (tmp_path / str(version)).mkdir()
    assert nearest(4, *history) is None
    for version in (2, 3, 5, 6):  # burned, never in service, the version itself, higher
        (tmp_path / str(version) / "file").write_text("broken" if version == 3 else str(version))
    assert nearest(4, *history) is None
    assert nearest(5, *history) == (5, "5")
    assert nearest(9, *history) is None  # 8 is not on disk any more
    (tmp_path / "1" / "file").write_text("1")
    assert nearest(4, *history) == (1, "1")
    assert nearest(4, labels={"stable": 1}) == (1, "1")
    (tmp_path / "4" / "file").write_text("4")
    assert nearest(7, *history) == (4, "4")
    with pytest.raises(ValueError, match="3"):
        nearest(3, *history)
