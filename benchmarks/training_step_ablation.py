"""Ablation of the training step: measures it as it is and with one part replaced, in one process.

    python benchmarks/training_step_ablation.py --files DIR     on DIR's Beauty.txt, or a synthetic file

Two minutes; nothing else should run meanwhile. Every variant starts from the same weights and trains on the
same events; the figure is targets per second. The result is kept in docs/results and shown on
docs/benchmarks-training.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from benchmarks.folders import DOCS
from benchmarks.speed.interactions import find_interactions
from benchmarks.speed.page import STEP_ABLATION, write_page
from benchmarks.training_speed import RESULT, YAML
from configs.load import load_config
from configs.schema import Config
from features.dataset import Dataset
from features.prepare import prepare
from features.splits import split_points
from training.encoder.batches import Batch, Events, TrainingBatches
from training.encoder.build_model import build_model
from training.encoder.module import EncoderModule
from training.encoder.negatives import NegativeSampler
from training.encoder.optimizer import clip_gradients
from training.runs.environment import environment
from training.runs.run import write_json


def main() -> int:
    """Measure all variants in turn, print and keep the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=Path, help="folder of Beauty.txt, searched at any depth")
    parser.add_argument("--steps", type=int, default=8, help="of each variant in a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--users", type=int, help="only the first users of the file, for a quick try")
    parser.add_argument("--out", type=Path, default=DOCS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        interactions, file = find_interactions(arguments.files)
        interactions.first(arguments.users).write(Path(folder) / "all.txt", train_only=False)
        config = load_config(
            YAML, overrides=[f"data.events={folder}/all.txt", f"workspace={folder}/workspace"]
        )
        prepare(config, now=datetime.now(UTC))
        dataset = Dataset.open(config.workspace / "dataset")
        rows = compare(dataset, config, steps=arguments.steps, rounds=arguments.rounds)
    result = {"rows": rows, "file": file["name"], "threads": arguments.threads, **environment()}
    (arguments.out / STEP_ABLATION).parent.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out / STEP_ABLATION, result)
    if (arguments.out / RESULT).is_file():
        write_page(json.loads((arguments.out / RESULT).read_text(encoding="utf-8")), arguments.out)
    for row in rows:
        sys.stdout.write(
            f"{row['without']:<62} {row['targets_per_second']:>7,.0f} targets/s   {row['slower']:.2f} x "
            "slower\n"
        )
    return 0


@dataclass(frozen=True)
class Variant:
    """The training step with one part replaced."""

    without: str
    """The part, and in brackets what replaces it"""
    batches: type[TrainingBatches] = TrainingBatches
    last_target_only: bool = False
    optimizer: type[torch.optim.AdamW] | None = None
    patched: Callable[[], AbstractContextManager[Any]] | None = None
    """Makes the context in which the steps run"""


def compare(dataset: Dataset, config: Config, *, steps: int, rounds: int) -> list[dict[str, Any]]:
    """A row per variant: targets per second (median over rounds), and how many times slower it is than the
    complete step."""
    events = Events.before(
        dataset,
        split_points(dataset, config.split)[0],
        input_event_types=np.unique(dataset.event_types),
        targets=config.history.targets,
    )
    runners = [Runner(variant, dataset, events, config) for variant in VARIANTS]
    found: list[list[float]] = [[] for _ in runners]
    for turn in range(rounds + 1):
        for runner, rates in zip(runners, found, strict=True):
            rate = runner.run(steps)
            if turn:  # the first is a warm-up
                rates.append(rate)
    first = found[0]
    ratios = [median(own / other for own, other in zip(first, rates, strict=True)) for rates in found]
    return [
        {"without": variant.without, "targets_per_second": median(rates), "slower": ratio}
        for variant, rates, ratio in zip(VARIANTS, found, ratios, strict=True)
    ]


class Runner:
    """A model of its own that is trained with one variant."""

    def __init__(self, variant: Variant, dataset: Dataset, events: Events, config: Config) -> None:
        torch.manual_seed(config.training.seed)
        training, self._variant = config.training, variant
        items = torch.from_numpy(events.events.items[events.is_target].astype(np.int64))
        sampler = NegativeSampler(
            items, num_items=dataset.num_items, num_negatives=1, popularity_sampling_ratio=0.5
        )
        known_N = torch.bincount(items, minlength=dataset.num_items) > 0
        self._module = EncoderModule(
            build_model(dataset, config), sampler=sampler, known_N=known_N, config=training
        ).train()
        weights = list(self._module.encoder.parameters())
        self._optimizer = (
            variant.optimizer(weights) if variant.optimizer else self._module.configure_optimizers()
        )
        self._batches = self._endless(
            variant.batches(
                events,
                max_length=config.history.max_length,
                batch_tokens=training.batch_tokens,
                seed=training.seed,
            )
        )

    def run(self, steps: int) -> float:
        """Targets per second over some steps, without the time of making batches."""
        batches = [next(self._batches) for _ in range(steps)]
        started, num_targets = time.perf_counter(), 0
        with self._variant.patched() if self._variant.patched else nullcontext():
            for batch in batches:
                self._optimizer.zero_grad()
                loss = self._module.training_step(batch, 0)
                assert loss is not None
                loss.backward()
                clip_gradients(self._optimizer, 1.0)
                self._optimizer.step()
                num_targets += len(batch.targets_P)
        return num_targets / (time.perf_counter() - started)

    def _endless(self, batches: TrainingBatches) -> Iterator[Batch]:
        for batch in cycle(batches):
            yield _last_targets(batch) if self._variant.last_target_only else batch


class RandomOrder(TrainingBatches):
    """Users in random order, in as many batches as by length, each as wide as its longest history."""

    def _plan(
        self, generator: np.random.Generator
    ) -> tuple[list[NDArray[np.intp]], NDArray[np.int64], NDArray[np.int64]]:
        batches, starts, lengths = super()._plan(generator)
        order = generator.permutation(len(lengths))
        return np.array_split(order, len(batches)), starts, lengths


class EveryPrefix(TrainingBatches):
    """The history up to each position as a row of its own."""

    def _plan(
        self, generator: np.random.Generator
    ) -> tuple[list[NDArray[np.intp]], NDArray[np.int64], NDArray[np.int64]]:
        _, starts, lengths = super()._plan(generator)
        many = np.repeat(starts, lengths)
        within = np.arange(len(many)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        order = np.lexsort((generator.random(len(within)), within))
        batches = [
            part
            for part in np.array_split(order, max(1, int((within + 1).sum()) // self.batch_tokens))
            if len(part)
        ]
        generator.shuffle(batches)
        return batches, many, within + 1


def _last_targets(batch: Batch) -> Batch:
    """The batch with only the last target of each row."""
    width = batch.items_BL.shape[1]
    is_last_P = batch.states_S[batch.pair_state_P] % width == (
        batch.lengths_B[batch.states_S[batch.pair_state_P] // width] - 1
    )
    states_S = batch.states_S[batch.pair_state_P[is_last_P]]
    return replace(
        batch,
        states_S=states_S,
        pair_state_P=torch.arange(len(states_S)),
        targets_P=batch.targets_P[is_last_P],
        pair_weight_P=batch.pair_weight_P[is_last_P],
    )


def _plain_softmax(
    query_SD: Tensor, pair_query_P: Tensor, targets_P: Tensor, vectors_ND: Tensor, *, pair_weight_P: Tensor
) -> Tensor:
    """All scores at once, by autograd."""
    return F.cross_entropy(query_SD[pair_query_P] @ vectors_ND.T, targets_P)


def _torch_mask(values: Tensor, share: float) -> Tensor:
    return torch.empty_like(values).bernoulli_(1 - share).div_(1 - share)


VARIANTS = (
    Variant("nothing"),
    Variant("batches by length (users in random order, padded)", batches=RandomOrder),
    Variant("one pass for all positions (every prefix is a row)", batches=EveryPrefix, last_target_only=True),
    Variant(
        "chunked loss with in-place gradients (plain autograd)",
        patched=lambda: patch("training.encoder.module.full_softmax", _plain_softmax),
    ),
    Variant(
        "attention without dropout (dropout on attention weights)",
        patched=lambda: patch.object(
            F, "scaled_dot_product_attention", partial(F.scaled_dot_product_attention, dropout_p=0.5)
        ),
    ),
    Variant(
        "dropout of four values per draw (torch's dropout)",
        patched=lambda: patch("models.dropout._mask", _torch_mask),
    ),
    Variant("fused AdamW (torch's default)", optimizer=torch.optim.AdamW),
)


if __name__ == "__main__":
    sys.exit(main())
