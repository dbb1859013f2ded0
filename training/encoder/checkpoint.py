"""The checkpoint file from which an interrupted training is resumed: one file in the run's folder, written
atomically.

It holds everything that the rest of a fit depends on, so that resuming from it gives the same weights, on a
CPU bit for bit.
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
    """`torch.save`, atomically."""
    with writing_file(path) as scratch:
        torch.save(value, scratch)


def load_checkpoint(folder: Path, *, series: str) -> dict[str, Any] | None:
    """The checkpoint of the fit of that name, or None. Raises ArtefactError for a broken file."""
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a file that it cannot read
        raise ArtefactError(
            f"{path}: not a readable checkpoint ({error}). Remove it to restart this fit from its beginning."
        ) from error
    return state if state["series"] == series else None


def random_states(generator: torch.Generator) -> dict[str, Any]:
    """The state of every random number generator. `generator` is the one that samples negatives."""
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
    """Restore every generator. On another type of device than before, the sampling of negatives restarts from
    the seed."""
    random.setstate(states["python"])
    numpy_name, numpy_keys, *numpy_rest = states["numpy"]
    np.random.set_state((numpy_name, np.array(numpy_keys, np.uint32), *numpy_rest))
    torch.set_rng_state(states["torch"])
    if generator.device.type == states["device"]:
        generator.set_state(states["negatives"])
        if states["device"] == "cuda" and len(states["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(states["cuda"])
