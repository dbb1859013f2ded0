"""Which tests one process runs, and what comes first.

A process takes whole files, since the tests of a file share what its fixtures made. The longest come first,
so that no process ends with one of them while the others have nothing left to do.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

SERVED_EXAMPLE = (
    "tests/e2e/test_champion.py",
    "tests/e2e/test_own_csv.py",
    "tests/e2e/test_live_server.py",
    "tests/e2e/test_without_torch.py",
    "tests/unit/serving/deploy/test_server.py",
)
"""One process runs these files, one after the other: they share the worked example, which is trained once,
and two servers of Ray at once would want the same ports."""
LONG = (
    SERVED_EXAMPLE[0],
    "tests/e2e/test_training_benchmark.py",
    "tests/e2e/test_resume.py",
    "tests/e2e/test_shop_page.py",
    "tests/e2e/test_shopkeeper_js.py",
    "tests/e2e/test_refresh.py",
    "tests/contract/test_encoder_contract.py",
    "tests/e2e/review/test_other_questions.py",
    "tests/e2e/test_bad_shops.py",
    "tests/parity/test_every_model.py",
    "tests/e2e/test_disk_full.py",
    "tests/e2e/test_swaps.py",
)
"""Units that take 15 seconds or more on a quiet machine."""


def unit_of(nodeid: str) -> str:
    """What the process that runs this test runs as a whole: a file, or the first of several."""
    file = nodeid.partition("::")[0]
    return SERVED_EXAMPLE[0] if file in SERVED_EXAMPLE else file


def place_of(nodeid: str) -> int:
    """The place of a test's unit: 0 is the first."""
    unit = unit_of(nodeid)
    return LONG.index(unit) if unit in LONG else len(LONG)


class UnitScheduling(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """A process gets its next unit when it is nearly done with the one before.

    pytest-xdist's own groups have no effect under pytest 9, which does not read what they write into ids.
    """

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
