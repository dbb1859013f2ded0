"""Times as the answers have them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_time(microseconds: int) -> str:
    """Microseconds since 1970 UTC as ISO 8601, to the second."""
    moment = datetime.fromtimestamp(microseconds / 1e6, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
