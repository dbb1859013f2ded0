"""Keeps all fits of a run together within `training.max_minutes`."""

from __future__ import annotations

import time
from typing import Any, Final

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, Timer

from configs.pace import WARM_UP_STEPS
from training.runs.record import RunRecord

MAX_RESERVE: Final = 2 / 3
"""The share of the whole time that the first fit leaves to the later ones at most."""
MARGIN: Final = 1.2
"""What it leaves them, as a multiple of what it measured."""


class TimeBudget:
    """The seconds that the fits of a run may take together, those before an interruption included."""

    def __init__(self, minutes: float, record: RunRecord) -> None:
        """It begins to run out at once."""
        self.seconds = 60 * minutes
        self._spent = sum(fit.seconds for fit in record.fits.values())
        self._started = time.monotonic()

    def left(self) -> float:
        """What is left of it; below 0 once it is spent."""
        return self.seconds - self._spent - (time.monotonic() - self._started)

    def spend(self, seconds: float) -> None:
        """Take off what a fit had taken before it was interrupted."""
        self._spent += seconds


class TimeLimit(Callback):
    """Ends a fit, also within an epoch, so that those after it have time too.

    The first fit leaves them what they take at its own pace, as far as that is no more than `MAX_RESERVE` of
    the whole. Of the others, each takes its share of what is left.
    """

    def __init__(
        self, budget: TimeBudget | None, timer: Timer, *, later_fits: int, later_steps: float | None
    ) -> None:
        """Without a budget it does nothing. `later_steps`, in the fits after the first; None in a later
        fit."""
        self._budget, self._timer = budget, timer
        self._later_fits, self._later_steps = later_fits, later_steps
        self._reserve = budget.seconds * MAX_RESERVE if budget else 0.0
        self._made = self._last = time.monotonic()
        self._steps, self._steps_seconds = 0, 0.0
        self._start_seconds = self._validation_seconds = 0.0
        self.has_ended = False
        """Whether it has ended the fit"""

    def state_dict(self) -> dict[str, Any]:
        """Whether it has ended the fit."""
        return {"has_ended": self.has_ended}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue as in a checkpoint."""
        self.has_ended = state_dict["has_ended"]

    def seconds_left(self) -> float:
        """Until it ends the fit. Infinite without a budget."""
        return self._budget.left() - self._reserve if self._budget else float("inf")

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take the time before the fit from the budget, and reserve what the later fits need."""
        if self._budget is None:
            return
        self._budget.spend(self._timer.time_elapsed())
        if self._later_steps is None:
            self._reserve = self._budget.left() * self._later_fits / (self._later_fits + 1)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Begin to time the steps."""
        self._last = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Time the step, and end the fit where no time is left."""
        now = time.monotonic()
        self._steps += 1
        if self._steps <= WARM_UP_STEPS:
            self._start_seconds = now - self._made
        else:
            self._steps_seconds += now - self._last
            self._measure_reserve()
        self._last = now
        if self.seconds_left() <= 0 and not trainer.should_stop:
            trainer.should_stop = self.has_ended = True

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Begin to time the validation."""
        self._last = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Note how long the validation took."""
        self._validation_seconds = time.monotonic() - self._last

    def _measure_reserve(self) -> None:
        """In the first fit: its last validation, and start and steps of each later fit."""
        if self._budget is None or self._later_steps is None:
            return
        steps = self._later_steps * self._steps_seconds / (self._steps - WARM_UP_STEPS)
        needed = MARGIN * (self._validation_seconds + self._later_fits * self._start_seconds + steps)
        self._reserve = min(needed, self._budget.seconds * MAX_RESERVE)
