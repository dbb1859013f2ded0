"""The time of a list by surface."""

from __future__ import annotations

from pathlib import Path

import pytest
from hand_made_bundle import write_bundle

from benchmarks.live_server.page import surface_lines
from benchmarks.live_server.surface_times import surface_milliseconds
from configs.settings.recommend import DEFAULT_SURFACES


def test_every_surface_has_a_time_beside_home(tmp_path: Path) -> None:
    users = [f"u{number}" for number in range(2 * (1 + len(DEFAULT_SURFACES)))]
    bundle = write_bundle(tmp_path / "bundle")
    found = surface_milliseconds(bundle, tmp_path / "events.db", users=users, num_lists=2)
    assert next(iter(found)) == "home"
    assert set(found) == set(DEFAULT_SURFACES)
    home = found["home"]["milliseconds"]
    assert found["home"]["ratio_to_home"] == 1
    for one in found.values():
        assert one["milliseconds"] > 0
        assert one["ratio_to_home"] == pytest.approx(one["milliseconds"] / home, abs=0.02, rel=0.05)
    lines = surface_lines(found)
    assert len(lines) == 2 + len(DEFAULT_SURFACES)
    assert lines[2].startswith("| home |")
