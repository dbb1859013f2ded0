"""Refuses settings of data that the chosen reader would not read: nothing that is set is silently ignored."""

from __future__ import annotations

from typing import Final

from configs.exceptions import ConfigError
from configs.schema import DataConfig

_OF_THE_FILES: Final = ("event_columns", "item_columns", "user_columns", "timestamp_format", "decimal")
"""Only one's own files need these: the published ones are known."""
_READS: Final[dict[str, tuple[str, ...]]] = {
    "complete_journey": (),
    "online_retail": ("events",),
    "taobao": ("events",),
    "amazon_reviews": ("events", "items", "event_type"),
    "movielens": ("events", "items", "users", "event_type"),
    "session_text": ("events", "test_events", "event_type", "layout"),
}
"""Source of published data → which of the settings below it reads."""
_SETTINGS: Final = ("events", "test_events", "items", "users", "event_type", "layout", *_OF_THE_FILES)
_ITS_ALONE: Final = ("test_events", "layout")
"""What nothing but session_text reads."""


def check_reader(data: DataConfig) -> None:
    """Raises ConfigError for a setting that the reader does not read, and for text files without times on a
    real clock."""
    reads = _READS.get(data.reader, tuple(name for name in _SETTINGS if name not in _ITS_ALONE))
    unread = [
        f"data.{name}"
        for name in _SETTINGS
        if name not in reads
        and getattr(data, name) != DataConfig.model_fields[name].get_default(call_default_factory=True)
    ]
    if unread and data.reader == "complete_journey":
        raise ConfigError(f"data.reader=complete_journey brings its own files: remove {', '.join(unread)}.")
    if unread:
        takes = ", ".join(f"data.{name}" for name in reads)
        raise ConfigError(
            f"data.reader={data.reader} does not read {', '.join(unread)}: remove that. It reads {takes}."
        )
    if data.reader == "session_text" and data.clock != "ordinal":
        raise ConfigError(
            "data.reader=session_text reads files without times: set data.clock=ordinal and "
            "split.kind=leave_one_out."
        )
