"""What a command needs beyond the base installation, said in one line instead of a stack trace."""

from __future__ import annotations

from typing import Final

_TRAIN: Final = ("torch", "pytorch_lightning", "onnx", "onnxscript", "scipy", "mlflow", "matplotlib")
"""What the extra `train` brings, by the names under which it is imported."""


def extra_that_brings(missing: ModuleNotFoundError) -> str | None:
    """What to tell someone whose installation lacks the library; None where no extra of ours brings it."""
    library = (missing.name or "").partition(".")[0]
    if library not in _TRAIN:
        return None
    return f"this command needs the extra: pip install 'shopkeeper[train]' ({library} is not installed here)."
