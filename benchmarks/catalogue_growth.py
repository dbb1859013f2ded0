"""Measures training steps and the index with a growing catalogue: ten thousand to a million items.

    python benchmarks/catalogue_growth.py [--items 10000 100000 1000000] [--steps 60] [--no-index]

Each size, with dense and with sparse updates (by rows), runs in a process of its own. The steps are those of
the sampled softmax: a default batch of 4,096 positions, whose queries are means of a history's vectors, so
that only the embedding table, the loss, gradient clipping and Adam are measured. The vectors to index are
clustered, as trained ones are: items lie around a few thousand centres, queries around the same ones. This
takes ten minutes; nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from models.item_vectors import ItemTable

Result = TypeVar("Result")

DIM = 64
POSITIONS = 4096
"""In one step, each with a target: the default batch."""
HISTORY = 32
NUM_EVENTS = 2_000_000
NUM_QUERIES = 200
ITEMS_PER_CENTRE = 200
SPREAD = 0.5
"""Standard deviation of the items around their centre; that of the centres is 1."""


def main() -> None:
    """Measure and print every size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--no-index", action="store_true")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", flush=True)
    print(
        "CPU seconds per million interactions | loss and gradient | clipping and Adam | both | GB before | "
        "peak GB"
    )
    for num_items in arguments.items:
        dense, rows = (
            in_child_process(training_steps, num_items, arguments.steps, is_sparse)
            for is_sparse in (False, True)
        )
        for name, costs in (("dense", dense), ("by rows", rows)):
            print(f"{num_items:>9,} items, {name:<7} | {costs.cells()}")
        print(f"{num_items:>9,} items: by rows {dense.both / rows.both:.1f} times as fast", flush=True)
    if not arguments.no_index:
        print(in_child_process(index_of, max(arguments.items)), flush=True)


@dataclass(frozen=True)
class StepCosts:
    """Cost of training steps: CPU seconds per million interactions, and memory."""

    loss: float
    update: float
    before_gb: float
    peak_gb: float

    @property
    def both(self) -> float:
        """CPU seconds of complete steps per million interactions."""
        return self.loss + self.update

    def cells(self) -> str:
        """Cells of the printed table."""
        seconds = f"{self.loss:.1f} | {self.update:.1f} | {self.both:.1f}"
        return f"{seconds} | {self.before_gb:.2f} | {self.peak_gb:.2f}"


def in_child_process(work: Callable[..., Result], *arguments: int) -> Result:
    """Run `work` in a new process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def training_steps(num_items: int, steps: int, is_sparse: bool) -> StepCosts:
    """Medians over steps of the CPU seconds on one thread, which other work on the machine changes least, and
    peak memory."""
    import torch

    from configs.settings.encoder import TrainingConfig
    from models.item_vectors import ItemTable
    from training.encoder.optimizer import build_optimizer, clip_gradients

    torch.set_num_threads(1)
    torch.manual_seed(0)
    table = ItemTable(num_items, DIM)
    optimizer = build_optimizer(table, TrainingConfig())
    table.sparse = is_sparse  # whatever the size would choose
    losses = losses_of(table)
    before, seconds = _peak_gb(), []
    for _ in range(steps):
        started = time.process_time()
        optimizer.zero_grad()
        next(losses).backward()  # type: ignore[no-untyped-call]
        middle = time.process_time()
        clip_gradients(optimizer, 1.0)
        optimizer.step()
        seconds.append((middle - started, time.process_time() - middle))
    loss, update = np.median(seconds[1:], axis=0) / POSITIONS * 1e6
    return StepCosts(loss, update, before_gb=before, peak_gb=_peak_gb())


def losses_of(table: ItemTable) -> Iterator[Tensor]:
    """The sampled softmax of one batch after another. A position's query is the mean of its history."""
    import torch

    from configs.settings.encoder import TrainingConfig
    from models.losses import sampled_softmax
    from training.encoder.negatives import NegativeSampler

    settings, generator, num_items = TrainingConfig(), torch.Generator().manual_seed(0), table.num_embeddings
    popular_N = 1 / np.arange(1, num_items + 1) ** 0.9
    events_E = torch.from_numpy(
        np.random.default_rng(0).choice(num_items, NUM_EVENTS, p=popular_N / popular_N.sum())
    )
    sampler = NegativeSampler(
        events_E,
        num_items=num_items,
        num_negatives=settings.num_negatives,
        popularity_sampling_ratio=settings.popularity_sampling_ratio,
    )
    while True:
        drawn = torch.randint(len(events_E), (2, POSITIONS), generator=generator)
        history_BLD = table(events_E[drawn[0]].view(-1, HISTORY))
        query_PD = (history_BLD.cumsum(dim=1) / torch.arange(1, HISTORY + 1)[:, None]).flatten(0, 1)
        targets_P = events_E[drawn[1]]
        negatives_K, log_expected_K = sampler.draw(generator)
        target_PD, negative_KD = table(torch.cat([targets_P, negatives_K])).split(
            [POSITIONS, len(negatives_K)]
        )
        yield sampled_softmax(
            query_PD, torch.arange(POSITIONS), targets_P, target_PD, negatives_K, negative_KD, log_expected_K
        )


def index_of(num_items: int) -> str:
    """A line about the index that export would build: recall, time of a query, memory."""
    from configs.settings.lifecycle import ExportConfig
    from training.export.index import build_index

    vectors, queries = clustered(num_items)
    started = time.perf_counter()
    built = build_index(vectors, np.arange(num_items, dtype=np.int32), queries, ExportConfig())
    seconds = time.perf_counter() - started
    return (
        f"{num_items:>9,} items: {built.kind}, recall@100 {built.recall:.4f}, {built.milliseconds:.2f} ms "
        f"per query, exact {built.exact_milliseconds:.2f} ms "
        f"({built.exact_milliseconds / built.milliseconds:.0f} times); built and measured in "
        f"{seconds:.0f} s, peak {_peak_gb():.2f} GB"
    )


def clustered(num_items: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(vectors (N, D), queries (Q, D)) around the same centres."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((max(num_items // ITEMS_PER_CENTRE, 1), DIM), np.float32)

    def around(count: int) -> NDArray[np.float32]:
        vectors = SPREAD * generator.standard_normal((count, DIM), np.float32)
        vectors += centres[generator.integers(0, len(centres), count)]
        return vectors

    return around(num_items), around(NUM_QUERIES)


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
