"""The checkpoint from which a killed training goes on: one file in the run's folder, whole whenever the kill
comes.

It holds all that the rest of a fit depends on, so that going on from it gives the same weights, on a CPU to
the last bit.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from configs.exceptions import ArtefactError
from features.core.artefact import writing_file
from training.runs.run import CHECKPOINT_FILE


def save_torch(value: Any, path: Path) -> None:
    """`torch.save`, whole or not at all."""
    with writing_file(path) as scratch:
        torch.save(value, scratch)


def load_checkpoint(folder: Path, *, series: str) -> dict[str, Any] | None:
    """The state of the fit of that name; None where it had not come to a checkpoint. Raises ArtefactError for
    a broken file."""
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has many ways to say that a file is none of its own
        raise ArtefactError(
            f"{path}: is no checkpoint ({error}). Remove it to begin this fit anew."
        ) from error
    return state if state["series"] == series else None


def random_states(generator: torch.Generator) -> dict[str, Any]:
    """Where every stream of random numbers stands. `generator` is the one that draws negatives."""
    numpy_name, numpy_keys, *numpy_rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (numpy_name, np.asarray(numpy_keys).tolist(), *numpy_rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "negatives": generator.get_state(),
        "device": generator.device.type,
    }


def restore_random_states(states: dict[str, Any], generator: torch.Generator) -> None:
    """Put every stream back. On another kind of device than before, the negatives are drawn from the seed
    again."""
    random.setstate(states["python"])
    numpy_name, numpy_keys, *numpy_rest = states["numpy"]
    np.random.set_state((numpy_name, np.array(numpy_keys, np.uint32), *numpy_rest))
    torch.set_rng_state(states["torch"])
    if generator.device.type == states["device"]:
        generator.set_state(states["negatives"])
        if states["device"] == "cuda" and len(states["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(states["cuda"])
