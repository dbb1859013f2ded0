"""Refuses `data` settings that the chosen reader does not use, so that no setting is silently ignored."""

from __future__ import annotations

from typing import Final

from configs.exceptions import ConfigError
from configs.settings.data import DataConfig

_FILE_FORMAT: Final = (
    "event_columns",
    "item_columns",
    "user_columns",
    "event_types",
    "availability",
    "negative_quantity",
    "timestamp_format",
    "decimal",
    "encoding",
)
"""Settings for files in a shop's own format. The format of other files is known."""
_OWN_TABLES: Final = ("events", "items", "users", "item_columns", "user_columns", "availability")
"""An export of events, beside a catalogue and users in the shop's own format."""
_USED: Final[dict[str, tuple[str, ...]]] = {
    "complete_journey": (),
    "ga4": (*_OWN_TABLES, "event_types", "decimal"),
    "shopify": ("events", "items", "users", "user_columns", "event_types", "timestamp_format", "decimal"),
    "woocommerce": (*_OWN_TABLES, "event_types", "timestamp_format", "decimal"),
    "online_retail": ("events",),
    "taobao": ("events",),
    "amazon_reviews": ("events", "items", "event_type"),
    "movielens": ("events", "items", "users", "event_type"),
    "session_text": ("events", "test_events", "event_type", "layout"),
}
"""Reader of a known format → which of `_SETTINGS` it uses."""
_SETTINGS: Final = ("events", "test_events", "items", "users", "event_type", "layout", *_FILE_FORMAT)
_SESSION_TEXT_ONLY: Final = ("test_events", "layout")
"""Settings that only session_text uses."""


def _check_encoding(encoding: str) -> None:
    try:
        " ".encode(encoding)
    except (LookupError, ValueError):
        raise ConfigError(
            f"data.encoding={encoding!r} is no encoding of text that Python knows: give one such as utf-8, "
            "cp1252, utf-16, latin-1 or gb18030."
        ) from None


def check_reader(data: DataConfig) -> None:
    """Raise ConfigError for a setting that the reader does not use, for an encoding that does not exist, and
    for session_text on a real clock."""
    not_used = (*_SESSION_TEXT_ONLY, "encoding") if data.reader == "parquet" else _SESSION_TEXT_ONLY
    used = _USED.get(data.reader, tuple(name for name in _SETTINGS if name not in not_used))
    unused = [
        f"data.{name}"
        for name in _SETTINGS
        if name not in used
        and getattr(data, name) != DataConfig.model_fields[name].get_default(call_default_factory=True)
    ]
    if unused and data.reader == "complete_journey":
        raise ConfigError(f"data.reader=complete_journey brings its own files: remove {', '.join(unused)}.")
    if unused:
        settings = ", ".join(f"data.{name}" for name in used)
        raise ConfigError(
            f"data.reader={data.reader} does not use {', '.join(unused)}: remove that. It uses {settings}."
        )
    _check_encoding(data.encoding)
    if data.event_type and data.event_types:
        raise ConfigError(
            f"data.event_type={data.event_type} is the type of every event, and data.event_types maps those "
            "of a column: remove one of them."
        )
    if data.item_vectors and data.text_model:
        raise ConfigError(
            f"data.item_vectors={data.item_vectors} and data.text_model={data.text_model} both give vectors "
            "of the items: remove one of them."
        )
    if data.reader == "session_text" and data.clock != "ordinal":
        raise ConfigError(
            "data.reader=session_text reads files without times: set data.clock=ordinal and "
            "split.kind=leave_one_out."
        )
