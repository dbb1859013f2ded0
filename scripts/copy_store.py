"""What `shopkeeper events copy` does."""

from __future__ import annotations

from pathlib import Path

from configs.console import progress
from configs.schema import Config
from serving.state.store_copy import copy_store
from serving.state.store_location import store_location


def copy(config: Config, to: Config | Path, *, replace: bool) -> str:
    """Copy the store of a configuration to that of another, or to a file of SQLite, with progress. Returns
    what was done, in a sentence. Raises ServingError."""
    source = store_location(config)
    target = to.absolute() if isinstance(to, Path) else store_location(to)
    if isinstance(source, Path):
        source = source.absolute()
    with progress("copying events, percent", total=100) as work:
        percent = 0

        def report_progress(done: int, total: int) -> None:
            nonlocal percent
            reached = 100 * done // max(total, 1)
            work.advance(reached - percent)
            percent = reached

        result = copy_store(source, target, replace=replace, progress=report_progress)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in result.counts.items() if kind != "marks")
    done = "was the same already" if result.was_there else "copied and compared"
    return f"{target}: {done}: {counts}"
