"""One line instead of a stack trace when a command needs an optional extra that is not installed."""

from __future__ import annotations

from typing import Final

_TRAIN: Final = ("torch", "pytorch_lightning", "onnx", "onnxscript", "mlflow", "matplotlib", "jinja2")
"""Import names of the packages in the extra `train`."""
_EXTRAS: Final = {**dict.fromkeys(_TRAIN, "train"), "lightgbm": "customers"}


def extra_that_brings(missing: ModuleNotFoundError) -> str | None:
    """The message for a missing library, or None when it is not part of an extra."""
    library = (missing.name or "").partition(".")[0]
    extra = _EXTRAS.get(library)
    if extra is None:
        return None
    return (
        f"this command needs the extra: pip install 'shopkeeper[{extra}]' ({library} is not installed here)."
    )
