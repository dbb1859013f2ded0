"""How the tests are shared out among processes."""

from __future__ import annotations

from pathlib import Path

from units import LONG, SERVED_EXAMPLE, place_of, unit_of

ROOT = Path(__file__).parents[2]


def test_every_file_with_a_place_of_its_own_is_there() -> None:
    assert [name for name in (*SERVED_EXAMPLE, *LONG) if not (ROOT / name).is_file()] == []


def test_a_file_stays_whole_and_those_of_the_served_example_stay_together() -> None:
    page = "tests/e2e/test_shop_page.py"
    assert unit_of(f"{page}::test_one") == unit_of(f"{page}::test_two[a::b]") == page
    assert {unit_of(f"{name}::test") for name in SERVED_EXAMPLE} == {SERVED_EXAMPLE[0]}


def test_what_takes_long_comes_first() -> None:
    places = [place_of(f"{name}::test") for name in (SERVED_EXAMPLE[-1], LONG[1], "tests/unit/test_units.py")]
    assert places == [0, 1, len(LONG)]
