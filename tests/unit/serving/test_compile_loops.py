"""What the images compile ahead is all that a request needs: a shop with every retriever but the encoder."""

from __future__ import annotations

from features.core.compiled import COMPILED
from serving.compile_loops import main

INNER = {
    "_lasts",
    "_log_odds",
    "_poisson_gamma_rate",
    "_positive_product",
    "insert_best",
    "overdue",
    "summed_by_code",
    "_write_level",
    "log_p_value",
}
"""Called by other loops alone, whose machine code holds theirs"""
OF_COMMANDS = {"_counted", "_closed", "_largest_log_p", "_match"}
"""Needed by no request: itemsets of three, the purchase of a refund"""


def test_every_compiled_loop_is_called() -> None:
    main()
    never = [function.__name__ for function in COMPILED if not function.signatures]  # type: ignore[attr-defined]
    assert COMPILED
    assert set(never) <= INNER | OF_COMMANDS
