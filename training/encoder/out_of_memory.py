"""Explains an out-of-memory error of a training step, with settings to try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from configs.exceptions import TrainingError
from configs.schema import Config

CPU_MESSAGES = ("can't allocate memory", "not enough memory")
"""Parts of the message of torch's CPU allocator, which raises a plain RuntimeError."""


@contextmanager
def explain_out_of_memory(config: Config) -> Iterator[None]:
    """Turn a failed allocation into a TrainingError with values to try."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        on_gpu = isinstance(error, torch.OutOfMemoryError)
        on_cpu = isinstance(error, MemoryError) or any(words in str(error) for words in CPU_MESSAGES)
        if not on_gpu and not on_cpu:
            raise
        raise TrainingError(_advice(config, "the GPU's memory" if on_gpu else "memory")) from error


def _advice(config: Config, memory: str) -> str:
    training, longest = config.training, config.history.max_length
    fewer = max(training.batch_tokens // 2, longest)
    tries = []
    if fewer < training.batch_tokens:
        tries.append(f"--set training.batch_tokens={fewer} (now {training.batch_tokens})")
    else:
        tries.append(
            f"a shorter history.max_length (now {longest}), and training.batch_tokens with it (now {fewer})"
        )
    if training.loss == "full_softmax":
        tries.append("training.loss=sampled_softmax, which does not score every item")
    elif training.num_negatives > 1:
        tries.append(
            f"--set training.num_negatives={training.num_negatives // 2} (now {training.num_negatives})"
        )
    return (
        f"A batch did not fit into {memory}. Try {', or '.join(tries)}. "
        "`shopkeeper train --resume --set ...` continues from the last checkpoint with another "
        "training.batch_tokens or training.num_negatives."
    )
