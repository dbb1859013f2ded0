"""`make benchmark-training` on a tiny file with ours alone, and the GPU's benchmark where there is none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.speed.interactions import synthetic_interactions
from benchmarks.training_step_ablation import VARIANTS

ROOT = Path(__file__).parents[2]


def test_ours_alone_goes_all_the_way_on_a_tiny_file(tmp_path: Path) -> None:
    made = synthetic_interactions(num_users=150, num_items=120, num_events=1500)
    made.write(tmp_path / "Beauty.txt", train_only=False)
    script: list[str | Path] = [
        sys.executable,
        ROOT / "benchmarks" / "training_speed.py",
        "--skip-peers",
        "--check",
    ]
    options: list[str | Path] = [
        "--files",
        tmp_path,
        "--minutes",
        "0.03",
        "--threads",
        "1",
        "--out",
        tmp_path / "out",
        "--set",
        "encoder.dim=8",
    ]
    done = subprocess.run([*script, *options], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1, done.stderr  # targets without a peer are not reached
    assert re.match(
        r"training: [\d,]+ interactions/s; RecTools .*: not measured", done.stdout.splitlines()[-1]
    ), done.stdout
    kept = json.loads((tmp_path / "out" / "results" / "training-speed.json").read_text(encoding="utf-8"))
    (ours,) = kept["systems"]
    assert ours["epochs"] >= 1
    assert ours["curve"][-1][1] > 0.02  # chance is some 4.5 places of 110 items
    assert kept["missing"] == {"rectools": "not asked for", "replay": "not asked for"}
    assert str(tmp_path) not in json.dumps(kept)


def test_without_a_gpu_its_benchmark_says_so_plainly(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    script: list[str | Path] = [
        sys.executable,
        ROOT / "benchmarks" / "training_gpu.py",
        "--dataset",
        tmp_path,
    ]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("No CUDA device here")


def test_the_gpus_benchmark_runs_on_a_processor(prepared_shop: Path) -> None:
    script: list[str | Path] = [
        sys.executable,
        ROOT / "benchmarks" / "training_gpu.py",
        "--dataset",
        prepared_shop / "dataset",
        "--device",
        "cpu",
    ]
    done = subprocess.run(
        [
            *script,
            "--dim",
            "8",
            "--epochs",
            "2",
            "--set",
            "split.kind=window",
            "--set",
            "split.window_days=14",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Self CPU time total" in done.stdout
    assert re.search(
        r"s per epoch, [\d,]+ interactions/s .*: not measured on a CPU", done.stdout.splitlines()[-1]
    )


def test_the_steps_ablation_has_a_row_for_each_variant(tmp_path: Path) -> None:
    synthetic_interactions(num_users=150, num_items=120, num_events=1500).write(
        tmp_path / "Beauty.txt", train_only=False
    )
    script: list[str | Path] = [
        sys.executable,
        ROOT / "benchmarks" / "training_step_ablation.py",
        "--files",
        tmp_path,
        "--out",
        tmp_path / "out",
    ]
    options = ["--steps", "1", "--rounds", "1", "--threads", "1"]
    done = subprocess.run([*script, *options], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    kept = json.loads(
        (tmp_path / "out" / "results" / "training-step-ablation.json").read_text(encoding="utf-8")
    )
    assert [row["without"] for row in kept["rows"]] == [variant.without for variant in VARIANTS]
    assert kept["rows"][0]["slower"] == 1
    assert all(row["targets_per_second"] > 0 for row in kept["rows"])
