"""What `shopkeeper events trim` does, and what `serve` does once a day."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from configs.console import progress
from configs.exceptions import ConfigError
from configs.schema import Config
from serving.state.event_trimming import TrimResult, days_before, time_before, trim_daily, trim_events
from serving.state.store_location import store_location


def trim(
    config: Config, *, before: str | None, keep_days: int | None, force: bool, dry_run: bool, vacuum: bool
) -> str:
    """Trim the store with progress. Returns what was done, in a sentence. Raises ConfigError and
    ServingError."""
    now = datetime.now(UTC)
    if (before is None) == (keep_days is None):
        raise ConfigError("Say which events are old: --before 2024-01-31, or --keep-days 365.")
    if before is not None:
        moment = time_before(before, now=now)
    else:
        moment = days_before(now.timestamp(), keep_days or 0)
    with progress("looking at events, percent", total=100) as work:
        percent = 0

        def report_progress(done: int, total: int) -> None:
            nonlocal percent
            reached = 100 * done // max(total, 1)
            work.advance(reached - percent)
            percent = reached

        result = trim_events(
            store_location(config),
            before=moment,
            force=force,
            dry_run=dry_run,
            vacuum=vacuum,
            progress=report_progress,
        )
    return _said(result, moment, dry_run=dry_run)


def _said(result: TrimResult, moment: int, *, dry_run: bool) -> str:
    since = datetime.fromtimestamp(moment / 1e6, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    done = "would be deleted" if dry_run else "deleted"
    text = f"{result.trimmed:,} events from before {since} {done}"
    if result.not_exported:
        text += (
            f"; {result.not_exported:,} kept, because no export has them: `shopkeeper events export` first, "
            "or --force"
        )
    return text


def keep_trimming(config: Config) -> None:
    """With `serving.keep_events_days`: trim in a thread of this process, which answers no requests, until the
    process ends."""
    days = config.serving.keep_events_days
    if days is not None:
        arguments = {"keep_days": days, "stop": threading.Event()}
        store = store_location(config)
        threading.Thread(target=trim_daily, args=(store,), kwargs=arguments, daemon=True).start()
