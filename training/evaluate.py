"""Evaluates a run: fits its pipeline at the test split point, replays it on the test window, and keeps the
figures; or replays an earlier run's on the present window."""

from __future__ import annotations

from configs.console import log
from configs.exceptions import ArtefactError
from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from training.evaluation.evaluation_record import EvaluationRecord
from training.evaluation.record import record
from training.evaluation.replay import replay
from training.evaluation.systems import PIPELINE
from training.evaluation.table import text_lines
from training.evaluation.user_figures import UserFigures
from training.export.fit_pipeline import bundle_folder, fit_pipeline
from training.export.present_catalogue import with_present_catalogue
from training.runs.run import Run, require_same_training_data, settings_of


def evaluate(config: Config, run: Run) -> EvaluationRecord:
    """Evaluate a run; writes `evaluation.json` and `evaluation.txt` into its folder.

    Nothing else reads the test window. The settings are the run's own; `config` names the workspace. Raises
    ArtefactError for a run on another dataset, TooLittleDataError for an empty test window.
    """
    dataset = Dataset.open(config.workspace / "dataset")
    require_same_training_data(run, dataset)
    settings = settings_of(run, config)
    validation, test, full = split_points(dataset, settings.split)
    bundle = fit_pipeline(dataset, validation, test, config=settings, run=run)
    bundle.save(bundle_folder(run, test), made_from=dataset.fingerprint)
    pipeline = Pipeline.load(bundle_folder(run, test))
    evaluation = replay(pipeline, dataset, test, full, config=settings)
    found = record(run, evaluation, pipeline, dataset, test, config=settings)
    k = settings.evaluation.headline_k
    (run.folder / "evaluation.txt").write_text("\n".join(text_lines(found, k=k)) + "\n", encoding="utf-8")
    run.update(evaluation={system: found.headline(system, k=k) for system in found.systems})
    log(f"evaluated: pipeline capped_recall_{k} {found.headline(PIPELINE, k=k):.4f}")
    return found


def replay_bundle_of(champion: Run, config: Config, *, settings: Config) -> UserFigures | None:
    """The figures on the present test window of the bundle that an earlier run was judged by, as it is.

    It was fitted on less data, which ends before that window. None where it cannot be used, which is logged.

    `settings` are those of the run to compare with. Needs no training, but the time of an evaluation.
    """
    dataset = Dataset.open(config.workspace / "dataset")
    _, test, full = split_points(dataset, settings.split)
    log(f"replaying the champion {champion.name} on the present window")
    try:
        judged = Bundle.open(bundle_folder(champion, test))
        made = with_present_catalogue(judged, dataset, config=settings_of(champion, config)).bundle
    except ArtefactError as error:
        log(f"the champion {champion.name} cannot be compared ({error})")
        return None
    return replay(Pipeline(made), dataset, test, full, config=settings).figures
