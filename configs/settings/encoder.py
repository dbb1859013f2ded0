"""Settings of the encoder: what it reads, what it is, and how it is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.settings.event_types import EventType
from configs.settings.section import Section, Weight

HistoryOrder = Literal["sequence", "set"]
MODELS_OF_SETS = ("weighted_pooling",)
"""Models that read items and event types alone: no order, no ages and no user features."""


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
    brand, price band, texts (`item_text`) and given vectors (`data.item_vectors`). `auto`: `features` for
    `two_tower`, `id` for the others."""

    id_dropout: float = Field(0.1, ge=0, lt=1)
    """Probability in training that the item tower reads an item without its id, so that it learns from
    features."""

    item_text: bool = True
    """Whether the item tower reads texts too: title, brand, category and description, as hashed words and
    character trigrams with a convolution over the words. They are trained with the rest, in any language."""

    item_text_hashes: int = Field(32_768, ge=16, le=4_194_304)
    """Embeddings of words and trigrams, which share them by their hashes. More for a large catalogue in many
    words; they are part of the model's file and of training's memory."""

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
