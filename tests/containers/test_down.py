"""`docker compose down`: nothing is left in the engine, and the models stay."""

from __future__ import annotations

from containers import project as projects


def test_down_leaves_nothing_but_the_models(engine, filled_project):
    filled_project.up()
    assert filled_project.containers()
    filled_project.compose("down")
    assert filled_project.containers() == []
    assert projects.networks(engine) == []
    assert projects.volumes(engine) == []
    assert (filled_project.models / "seq2sum" / "1" / "saved_model.pb").exists()
    assert (filled_project.models / "models.config").exists()
