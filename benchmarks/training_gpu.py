"""Training on a GPU: seconds per epoch and a profile, of SASRec with the full softmax and width 128.

    shopkeeper prepare -c configs/benchmarks/ml-1m.yaml --set data.events=ml-1m.txt    anywhere; copy dataset/
    python benchmarks/training_gpu.py --dataset WORKSPACE/dataset                      where the GPU is
    python benchmarks/training_gpu.py --dataset WORKSPACE/dataset --config FILE.yaml   another configuration

Needs only what training needs: NumPy, torch, Lightning, and pydantic and PyYAML for the settings. The
validation at the end of an epoch is not in its seconds, as in the benchmark on the CPU. `--device cpu` is for
trying the script.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from configs.load import load_config
from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points
from training.encoder.checkpoint import load_checkpoint
from training.encoder.curve_recorder import CurveRecorder
from training.encoder.fit import fit_encoders
from training.runs.environment import environment
from training.runs.run import Run

TARGET = 1.0
"""Seconds per epoch of ml-1m on one H100; 8.6 s were reported for SASRec with the full cross-entropy on an
unnamed GPU."""


class EnoughEpochs(Exception):  # noqa: N818
    """Ends the fit; not an error."""


def main() -> int:
    """Time some epochs, profile another, print both; 1 when --check finds that the target is missed."""
    arguments = _parser().parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(
            "No CUDA device here, so nothing was measured. `--device cpu` tries the script on the CPU."
        )
    config = configured(arguments)
    seconds, num_tokens = epochs(config, arguments.dataset, count=arguments.epochs)
    epoch = median(seconds[1:] or seconds)
    is_reached = arguments.device == "cuda" and epoch < TARGET
    entries = environment()
    processor = entries["gpu" if arguments.device == "cuda" else "cpu"]
    print(f"{processor}, torch {entries['torch']}, commit {entries['commit']}")
    print("epochs: " + ", ".join(f"{one:.2f} s" for one in seconds))
    print(profiled(config, arguments.dataset, device=arguments.device))
    print(
        json.dumps(
            {
                "seconds_an_epoch": round(epoch, 4),
                "interactions_per_second": round(num_tokens / epoch),
                **entries,
            }
        )
    )
    on_gpu = "reached" if is_reached else "not reached"
    what = on_gpu if arguments.device == "cuda" else "not measured on a CPU"
    speed = f"{epoch:.2f} s per epoch, {num_tokens / epoch:,.0f} interactions/s"
    print(f"training on a GPU: {speed} (target under {TARGET:g} s): {what}")
    return 1 if arguments.check and not is_reached else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, required=True, help="a prepared dataset, WORKSPACE/dataset")
    parser.add_argument(
        "--config",
        type=Path,
        help="a YAML; default: SASRec with the full softmax, two blocks, histories of 200",
    )
    parser.add_argument("--dim", type=int, default=128, help="without --config")
    parser.add_argument("--epochs", type=int, default=5, help="to time; the first is left out of the median")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--check", action="store_true", help="exit 1 when the target is not reached")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as in `shopkeeper`"
    )
    return parser


def configured(arguments: argparse.Namespace) -> Config:
    """The settings with the device, without early stopping, refits and tracking."""
    plain = [
        f"encoder.dim={arguments.dim}",
        "encoder.num_heads=2",
        "training.loss=full_softmax",
        "training.batch_tokens=32768",
    ]
    own = [
        "split.kind=leave_one_out",
        "tracking.enabled=false",
        "training.patience=1000",
        "training.refit_epochs=0",
    ]
    end = [f"training.device={arguments.device}", f"training.max_epochs={arguments.epochs}"]
    given = [arguments.config] if arguments.config else []
    return load_config(*given, overrides=[*([] if given else plain), *own, *end, *arguments.overrides])


def epochs(config: Config, dataset: Path, *, count: int) -> tuple[list[float], int]:
    """(seconds of each epoch's steps, interactions of the last epoch without padding)"""
    trained, tokens = [0.0], [0]

    def note(recorder: dict[str, Any]) -> None:
        trained.append(recorder["trained_seconds"])
        tokens.append(int(recorder["num_tokens"]))
        if len(trained) > count:
            raise EnoughEpochs

    _fit(config, dataset, note)
    return [after - before for before, after in pairwise(trained)], tokens[-1] - tokens[-2]


def profiled(config: Config, dataset: Path, *, device: str) -> str:
    """A table of the slowest kernels of one more epoch, and the seconds of all kernels."""

    def one(_: dict[str, Any]) -> None:
        raise EnoughEpochs

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    started = time.perf_counter()
    with profile(activities=activities) as found:
        _fit(config, dataset, one)
    wall = time.perf_counter() - started
    averages = found.key_averages()
    key = f"self_{'device' if device == 'cuda' else 'cpu'}_time_total"
    busy = sum(getattr(event, key) for event in averages) / 1e6
    table = averages.table(sort_by=f"self_{device}_time_total", row_limit=15, max_name_column_width=60)
    parts = "loading, one epoch, its validation and checkpoint"
    return f"{table}\n{busy:.2f} s of kernels in a fit of {wall:.2f} s: {parts}"


def _fit(config: Config, folder: Path, note: Callable[[dict[str, Any]], None]) -> None:
    """The first fit; `note` gets the recorder's state after each epoch, and ends the fit."""
    dataset = Dataset.open(folder)
    with tempfile.TemporaryDirectory() as runs:
        run = Run.create(Path(runs), name=config.name)

        def after_epoch() -> None:
            if config.training.device == "cuda":
                torch.cuda.synchronize()
            found = load_checkpoint(run.folder, series="validation")
            assert found is not None
            note(found["callbacks"][CurveRecorder.__qualname__])

        try:
            fit_encoders(
                dataset, split_points(dataset, config.split), config=config, run=run, after_epoch=after_epoch
            )
        except EnoughEpochs:
            return


if __name__ == "__main__":
    sys.exit(main())
