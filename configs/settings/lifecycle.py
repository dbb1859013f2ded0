"""Settings of a run's way to the champion: evaluation, export, gate and nightly refresh."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.settings.section import Section


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

    exact_below: int = Field(20_000, ge=1)
    """Catalogues up to this size use exact search; larger ones use IVF where it is measured to be faster."""

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
