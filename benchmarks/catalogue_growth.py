"""What a growing catalogue costs: training steps, and the index, for ten thousand, a hundred thousand and a million items.

    python benchmarks/catalogue_growth.py [--items 10000 100000 1000000] [--steps 60] [--no-index]

Each size runs in a process of its own. The steps stand for training with the sampled softmax: queries are means of a history's
vectors, so that nothing but the table, the loss and Adam is measured. The vectors to index are clustered, as trained ones are:
items lie round a few thousand centres, queries round the same ones. Ten minutes; nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from numpy.typing import NDArray

DIM = 64
PAIRS = 4096
"""Targets of one step: the default batch."""
HISTORY = 20
NUM_QUERIES = 200
ITEMS_A_CENTRE = 200
SPREAD = 0.5
"""Of the items round their centre, whose own coordinates have deviation 1."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--no-index", action="store_true")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", flush=True)
    for num_items in arguments.items:
        print(in_a_child(training_steps, num_items, arguments.steps), flush=True)
    if not arguments.no_index:
        print(in_a_child(index_of, max(arguments.items)), flush=True)


def in_a_child(work: Callable[..., str], *arguments: int) -> str:
    """Run `work` alone in a new process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def training_steps(num_items: int, steps: int) -> str:
    """Seconds a million interactions, apart for the loss and for Adam, and peak memory."""
    import torch

    from configs.schema import TrainingConfig
    from models.losses import sampled_softmax
    from training.negatives import NegativeSampler

    settings = TrainingConfig()
    generator = torch.Generator().manual_seed(0)
    popular_N = 1 / torch.arange(1, num_items + 1, dtype=torch.float64) ** 0.9
    drawn = np.random.default_rng(0).choice(num_items, 2_000_000, p=(popular_N / popular_N.sum()).numpy())
    events_E = torch.from_numpy(drawn)
    sampler = NegativeSampler(
        events_E, num_items=num_items, num_negatives=settings.num_negatives, popular_share=settings.popular_share
    )
    table_ND = torch.nn.Parameter(0.01 * torch.randn(num_items, DIM, generator=generator))
    adam = torch.optim.Adam([table_ND], lr=1e-3)
    before = _peak_gb()
    seconds = {"loss and gradient": 0.0, "Adam": 0.0}
    for _ in range(steps):
        started = time.perf_counter()
        history_PL = events_E[torch.randint(len(events_E), (PAIRS, HISTORY), generator=generator)]
        targets_P = events_E[torch.randint(len(events_E), (PAIRS,), generator=generator)]
        negatives_K, log_expected_K = sampler.draw(generator)
        query_PD = table_ND[history_PL].mean(dim=1)
        loss = sampled_softmax(
            query_PD, torch.arange(PAIRS), targets_P, table_ND[targets_P], negatives_K, table_ND[negatives_K], log_expected_K
        )
        loss.backward()  # type: ignore[no-untyped-call]
        middle = time.perf_counter()
        adam.step()
        adam.zero_grad()
        seconds["loss and gradient"] += middle - started
        seconds["Adam"] += time.perf_counter() - middle
    costs = ", ".join(f"{name} {total / steps / PAIRS * 1e6:.1f} s" for name, total in seconds.items())
    return f"{num_items:>9,} items: {costs} a million targets; {before:.2f} GB before, peak {_peak_gb():.2f} GB"


def index_of(num_items: int) -> str:
    """The index that export would build, with what was measured on it."""
    from configs.schema import ExportConfig
    from training.build_index import build_index

    vectors, queries = clustered(num_items)
    started = time.perf_counter()
    built = build_index(vectors, np.arange(num_items, dtype=np.int32), queries, ExportConfig())
    seconds = time.perf_counter() - started
    return (
        f"{num_items:>9,} items: {built.kind}, recall@100 {built.recall:.4f}, {built.milliseconds:.2f} ms a query, exact "
        f"{built.exact_milliseconds:.2f} ms ({built.exact_milliseconds / built.milliseconds:.0f} times); built and measured in "
        f"{seconds:.0f} s, peak {_peak_gb():.2f} GB"
    )


def clustered(num_items: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(vectors (N, D), queries (Q, D)) round the same centres."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((max(num_items // ITEMS_A_CENTRE, 1), DIM), np.float32)

    def around(count: int) -> NDArray[np.float32]:
        vectors = SPREAD * generator.standard_normal((count, DIM), np.float32)
        vectors += centres[generator.integers(0, len(centres), count)]
        return vectors

    return around(num_items), around(NUM_QUERIES)


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
