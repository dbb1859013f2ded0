"""`make benchmark-published` on a small file, and the page of handwritten results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import published
from benchmarks.folders import YAMLS
from benchmarks.published_page import METRICS, page, verdict_lines
from benchmarks.published_references import PUBLISHED
from benchmarks.published_settings import same_settings
from configs.exceptions import ConfigError
from configs.load import dump_config, load_config

SMALL = (
    "prepare.min_item_events=10", "encoder.dim=8", "encoder.num_layers=1", "training.max_epochs=2",
    "training.batch_tokens=200", "training.device=cpu", "evaluation.bootstrap_samples=10",
)  # fmt: skip


def command(file: Path | None, folder: Path, *more: str) -> list[str]:
    where = ["--file", str(file), "--name", "tiny"] if file else ["--name", "tiny"]
    return ["--data", "beauty", *where, "--results", str(folder / "results"), "--out", str(folder / "ws"),
            *more, *(part for setting in SMALL for part in ("--set", setting))]  # fmt: skip


def kept(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((folder / "results").glob("*.json"))}


def test_a_file_is_measured_and_a_kept_seed_is_not_measured_again(
    session_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert published.main(command(session_file, tmp_path, "--seeds", "0")) == 0
    first = kept(tmp_path)
    assert published.main(command(None, tmp_path, "--seeds", "0,1", "--check")) == 0, (
        "the workspace holds the dataset"
    )
    both = kept(tmp_path)
    assert "tiny, seed 0: " in capsys.readouterr().err
    assert list(both) == ["tiny-seed0.json", "tiny-seed1.json"]
    assert both["tiny-seed0.json"] == first["tiny-seed0.json"]
    one, other = (json.loads(text) for text in both.values())
    assert one["systems"]["popularity"] == other["systems"]["popularity"]
    assert one["validation"]["curve"] != other["validation"]["curve"]
    assert one["best_epoch"] == 1 + one["validation"]["curve"].index(max(one["validation"]["curve"]))
    assert (one["users"], one["cold_targets"], one["epochs"]) == (60, 1, 2)
    assert str(tmp_path) not in first["tiny-seed0.json"], "a result names no folder of the machine"
    text = (tmp_path / "results" / "benchmarks-published.md").read_text()
    assert "## tiny" in text
    assert "mean of 2 seeds" in text
    assert published.main(command(None, tmp_path, "--seeds", "1", "--set", "training.learning_rate=0.1")) == 0
    changed = kept(tmp_path)
    assert changed["tiny-seed0.json"] == both["tiny-seed0.json"]
    assert changed["tiny-seed1.json"] != both["tiny-seed1.json"], "other settings are another result"


def test_a_run_that_was_killed_is_resumed(
    session_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("training.encoder.fit.save_encoder", killed)
        with pytest.raises(KeyboardInterrupt):
            published.main(command(session_file, tmp_path, "--seeds", "0"))
    (run,) = (tmp_path / "ws" / "runs").iterdir()
    assert (run / "resume.pt").is_file()
    assert published.main(command(session_file, tmp_path, "--seeds", "0")) == 0
    assert list((tmp_path / "ws" / "runs").iterdir()) == [run]
    assert json.loads((run / "run.json").read_text())["resumed"]


def test_without_the_file_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Beauty.txt: no such file.*--files"):
        published.main(command(None, tmp_path))
    with pytest.raises(ConfigError, match=r"--data nonsense: no such YAML .*beauty"):
        published.main(["--data", "nonsense", "--results", str(tmp_path)])


def result(
    seed: int, *, ndcg: float = 0.07, recall: float = 0.11, sha256: str = "226cce9c", **settings: float
) -> dict[str, Any]:
    """A result on beauty as `measure` keeps it."""
    config = load_config(
        YAMLS / "beauty.yaml",
        overrides=[
            f"training.seed={seed}",
            *(f"training.{name}={value}" for name, value in settings.items()),
        ],
    )
    model = {name: [ndcg if "ndcg" in name else recall, 0.01, 0.99] for name in METRICS}
    low = {name: [0.02, 0.01, 0.03] for name in METRICS}
    none = {name: [0.0, 0.0, 0.0] for name in METRICS}
    return {
        "data": "beauty",
        "protocol": "beauty",
        "model": "sasrec",
        "seed": seed,
        "users": 22363,
        "cold_targets": 138,
        "systems": {
            "model": model,
            "popularity": low,
            "repurchase": none,
            "co_occurrence": low,
            "next_basket": low,
        },
        "best_epoch": 4,
        "epochs": 14,
        "seconds_an_epoch": 2.5,
        "interactions_per_second": 60000,
        "commit": "a" * 40,
        "uncommitted_changes": False,
        "threads": 2,
        "command": "make benchmark-published",
        "hardware": {"cpu": "A CPU", "cores": 2, "gpu": None, "torch": "2.13", "python": "3.11"},
        "dataset": {"num_events": 198502, "num_users": 22363, "num_items": 12101},
        "file": {"name": "Beauty.txt", "sha256": sha256},
        "config": dump_config(config),
    }


def verdicts(results: list[dict[str, Any]]) -> list[str]:
    return [line.split(": ", 1)[1] for line in verdict_lines(results) if "target" in line]


def test_a_target_is_reached_only_by_the_mean_of_all_seeds() -> None:
    five = [result(seed, ndcg=0.0612 + 0.001 * (seed - 2)) for seed in range(5)]
    assert verdicts(five) == [
        "0.0612 ± 0.0016, target 0.0611: reached",
        "0.1100 ± 0.0000, target 0.1041: reached",
    ]
    assert verdicts([*five[:4], result(4, ndcg=0.05)])[0].endswith("not reached: 0.0586")
    assert verdicts(five[3:])[0].endswith("not reached: 2 of 5 seeds are measured")
    assert verdicts([*five[:4], result(4, learning_rate=0.5)])[0].endswith("so there is no mean")
    assert verdicts([result(seed, sha256="0000") for seed in range(5)])[0].endswith(
        "not reached: the file is not the published copy"
    )


def test_a_model_below_a_baseline_is_reported_as_such() -> None:
    assert verdict_lines([result(0)])[-1].endswith("0.0700, above the best baseline (popularity, 0.0200)")
    assert verdict_lines([result(0, ndcg=0.01)])[-1].endswith(
        "0.0100, NOT above the best baseline (popularity, 0.0200)"
    )


def test_the_page_has_the_references_our_mean_the_seeds_and_their_origin() -> None:
    text = "\n".join(page([result(seed, ndcg=0.06 + 0.002 * seed) for seed in (1, 0)]))
    for model, paper, *_ in PUBLISHED["beauty"].references:
        assert f"| {model} |" in text
        assert paper in text
    assert "| WEARec | – | 0.1041 | arXiv:2511.07028 |" in text
    assert (
        "| **ours: sasrec, ensemble of 3** | **0.0610 ± 0.0014** | **0.1100 ± 0.0000** | mean of 2 seeds |"
        in text
    )
    alone = {**result(0), "config": result(0)["config"].replace("ensemble: 3", "ensemble: 1")}
    assert "| **ours: sasrec** |" in "\n".join(page([alone]))
    assert "empty, since items of the history are removed" in text
    assert text.index("| 0 | 0.0600") < text.index("| 1 | 0.0620")
    assert "4 of 14" in text
    assert "22,363 test users, 138 targets that are not in the training data" in text
    assert "Beauty.txt sha256 `226cce9c`, the published copy" in text
    assert "A CPU, 2 cores, 2 threads; torch 2.13" in text


def test_check_fails_where_a_target_is_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(5):
        (tmp_path / f"beauty-seed{seed}.json").write_text(json.dumps(result(seed)))
    only_page = ["--page", "--results", str(tmp_path), "--check"]
    assert published.main(only_page) == 0
    (tmp_path / "beauty-seed0.json").write_text(json.dumps(result(0, ndcg=0.0)))
    assert published.main(only_page) == 1
    assert "not reached: 0.0560" in capsys.readouterr().out
    assert published.main(only_page[:-1]) == 0


def test_a_setting_that_is_newer_than_a_result_has_its_default() -> None:
    one = result(0)
    older = {
        **one,
        "config": "\n".join(line for line in one["config"].splitlines() if "validation_users" not in line),
    }
    config = load_config(YAMLS / "beauty.yaml")
    assert same_settings(one, config, one["file"])
    assert not same_settings(older, config, one["file"]), "the default is not what the YAML says"
    as_default = config.model_copy(
        update={"training": config.training.model_copy(update={"validation_users": 2000})}
    )
    assert same_settings(older, as_default, one["file"])
    assert not same_settings(one, config, {"sha256": "0000"})
