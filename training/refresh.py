"""The order of a night: events, prepare, train, evaluate, export, gate, promote, clean.

Each step is a function of another module. What is done is kept in the workspace, so that a refresh that was
killed goes on where it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from configs.console import log
from configs.exceptions import ArtefactError, ConfigError
from configs.load import dump_config
from configs.schema import Config
from features.core.artefact import read_manifest
from features.core.forgotten import Forgotten
from features.dataset import Dataset
from features.prepare import prepare
from training.evaluation.breakdowns import Difference
from training.evaluation.comparable_runs import has_same_settings, is_readable
from training.evaluation.user_figures import UserFigures
from training.gate import Decision
from training.lifecycle import (
    evaluate_run,
    export_run,
    judge,
    refit_to_follow,
    release,
    renew_catalogue,
    settle,
)
from training.refresh_state import RefreshState, refresh_lock
from training.registry import Registry
from training.retention import delete_old_bundles
from training.runs.run import Run, settings_of
from training.tracking.client import require_tracking
from training.train import train

Outcome = Literal["new_champion", "new_catalogue", "kept"]

SAME_DATA: Final = "nothing new to train on: the same events, the same settings and the same catalogue"


@dataclass(frozen=True)
class Verdict:
    """The outcome of a night."""

    outcome: Outcome
    reason: str
    champion: str | None
    """The champion's run, as of now"""
    run: str | None = None
    """The run of the night; None where nothing was trained"""
    figures: dict[str, Any] = field(default_factory=dict)
    """The headline metric of the pipeline and of the best retriever alone, and the difference to the
    champion"""
    seconds: dict[str, float] = field(default_factory=dict)
    """Step → how long it took"""
    continued: bool = False
    """Whether an interrupted refresh was continued"""


def refresh(
    config: Config,
    *,
    event_log: Callable[[], Path] | None = None,
    forgotten: Callable[[], Forgotten | None] = lambda: None,
) -> Verdict:
    """Do what is left of a night, and say what came of it.

    `event_log` writes the server's log as a table and returns its path; without one, events come from the
    configured files. `forgotten` says who must not be in the tables. Raises RefreshRunningError where another
    process refreshes the workspace, and the errors of each step: the next call goes on there.
    """
    with refresh_lock(config.workspace):
        require_tracking(config)
        return _Night(config, event_log, forgotten).run()


class _Night:
    def __init__(
        self,
        config: Config,
        event_log: Callable[[], Path] | None,
        forgotten: Callable[[], Forgotten | None],
    ) -> None:
        self._config, self._event_log, self._forgotten = config, event_log, forgotten
        settings = dump_config(config)
        found = RefreshState.continued(config.workspace, settings, hours=config.refresh.resume_hours)
        self._continued = found is not None and self._has_its_dataset(found)
        self._state = found if found and self._continued else RefreshState(settings=settings, changed_at=0)

    def run(self) -> Verdict:
        """Every step that is not done yet."""
        if self._continued:
            done = ", ".join(self._state.seconds) or "none"
            log(f"continuing the refresh that was interrupted; steps that are done: {done}")
        self._step("prepare", self._prepare)
        verdict = None if self._state.run else self._without_training()
        if verdict is None:
            self._step("train", self._train)
            self._step("evaluate", self._evaluate)
            self._step("export", lambda: self._keep(export_run(self._config, self._run)))
            self._step("gate", self._judge)
            self._step("promote", self._promote)
            verdict = self._verdict()
        self._step("clean", lambda: self._keep(delete_old_bundles(self._config)))
        self._state.finished = True
        self._state.save(self._config.workspace)
        return verdict

    def _step(self, name: str, work: Callable[[], None]) -> None:
        self._state.step(self._config.workspace, name, work)

    def _keep(self, _: object) -> None:
        """A step whose result is on disk."""

    @property
    def _run(self) -> Run:
        assert self._state.run is not None, "the step before names the run"
        return Run(self._config.workspace / "runs" / self._state.run)

    @property
    def _dataset(self) -> Dataset:
        return Dataset.open(self._config.workspace / "dataset")

    def _has_its_dataset(self, state: RefreshState) -> bool:
        """Whether the workspace still has the dataset that the interrupted refresh prepared."""
        if "prepare" not in state.seconds:
            return True
        with contextlib.suppress(ArtefactError):
            return self._dataset.fingerprint == state.dataset
        return False

    def _prepare(self) -> None:
        path = self._event_log() if self._event_log else None
        now, forgotten = datetime.now(UTC), self._forgotten()
        prepare(self._config, now=now, progress=log, event_log=path, forgotten=forgotten)
        self._state.dataset = self._dataset.fingerprint

    def _without_training(self) -> Verdict | None:
        """The verdict where these settings know these events already; None where there is something to train
        on."""
        champion, dataset = self._champion(), self._dataset
        if champion is not None and self._is_of_present_events(champion, dataset):
            bundle = read_manifest(Registry(self._config).folder(champion), kind="bundle")
            if bundle["made_from"] == dataset.fingerprint:
                return self._kept(SAME_DATA)
            self._step("export", lambda: self._keep(renew_catalogue(self._config, champion)))
            reason = "the catalogue is new, the events are not: nothing was trained"
            return self._made("new_catalogue", reason, run=None)
        return self._decided_before(dataset) if champion is not None else None

    def _decided_before(self, dataset: Dataset) -> Verdict | None:
        """The verdict where a run with these settings on these events was exported, and is not served."""
        for folder in sorted((self._config.workspace / "runs").glob("*/"), reverse=True):
            run = Run(folder)
            if self._is_of_present_events(run, dataset) and (entry := run.read().bundle) and entry.why:
                return self._kept(f"nothing new to train on since {run.name}: {entry.why}")
        return None

    def _is_of_present_events(self, run: Run, dataset: Dataset) -> bool:
        with contextlib.suppress(ArtefactError, ConfigError):  # a run of another version
            record = run.read()
            is_same = record.status == "finished" and record.training_data == dataset.training_data
            return is_same and has_same_settings(self._config, settings_of(run, self._config))
        return False

    def _champion(self) -> Run | None:
        """The champion's run, where it has a bundle and this version can read both."""
        pointer = Registry(self._config).champion
        if pointer is None:
            return None
        with contextlib.suppress(ArtefactError):
            read_manifest(pointer.bundle, kind="bundle")
            run = Run(self._config.workspace / "runs" / pointer.run)
            return run if run.exists and is_readable(run, self._config) else None
        return None

    def _train(self) -> None:
        begun = self._run if self._state.run and self._run.exists else None
        origin: dict[str, Any] = {"is_nightly": True}
        champion = self._champion() if self._config.refresh.warm_start else None
        if champion is not None and has_same_settings(self._config, settings_of(champion, self._config)):
            origin["warm_started_from"] = champion.name
        train(self._config, resume=begun, started=self._begun, **origin)

    def _begun(self, run: Run) -> None:
        self._state.run = run.name
        self._state.save(self._config.workspace)

    def _evaluate(self) -> None:
        if UserFigures.find(self._run.folder) is None:
            evaluate_run(self._config, self._run)

    def _judge(self) -> None:
        self._state.decision = asdict(judge(self._config, self._run))

    def _promote(self) -> None:
        decision = self._decision()
        settle(self._config, self._run, decision)
        refit = None if decision.is_champion else refit_to_follow(self._config, self._run)
        if refit is not None:
            release(self._config, refit)

    def _decision(self) -> Decision:
        assert self._state.decision is not None, "the step before decides"
        entries = dict(self._state.decision)
        over = entries.pop("over_champion")
        return Decision(**entries, over_champion=Difference(**over) if over else None)

    def _verdict(self) -> Verdict:
        decision, champion = self._decision(), Registry(self._config).champion
        over = decision.over_champion
        figures: dict[str, Any] = {"pipeline": decision.pipeline, "best_retriever": decision.best_retriever}
        if over is not None:
            figures["over_champion"] = {"mean": over.mean, "low": over.low, "high": over.high}
        follows = not decision.is_champion and champion is not None and self._is_refit(champion.run)
        reason = decision.why
        if follows and champion is not None:
            reason += f"; its settings, fitted on the newer data ({champion.run}), take its place"
        outcome: Outcome = "new_champion" if decision.is_champion or follows else "kept"
        return self._made(outcome, reason, run=self._state.run, figures=figures)

    def _is_refit(self, name: str) -> bool:
        """Whether the run of that name was fitted to compare with the night's."""
        compared = self._run.read().compared_with
        return compared is not None and compared.run == name != compared.champion

    def _kept(self, reason: str) -> Verdict:
        return self._made("kept", reason, run=None)

    def _made(self, outcome: Outcome, reason: str, *, run: str | None, **more: Any) -> Verdict:
        champion = Registry(self._config).champion
        name = champion.run if champion else None
        return Verdict(
            outcome, reason, name, run, seconds=self._state.seconds, continued=self._continued, **more
        )
