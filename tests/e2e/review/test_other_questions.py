"""What cannot be paired, or read, or shown, is not, and it is said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from reviewed_runs import FIRST, SECOND, Workspace

from serving.recommend.served_bundle import read_pointer
from training.evaluation.review.compare import compare
from training.evaluation.review.write import write_review
from training.evaluation.user_figures import USERS_FILE
from training.lifecycle import evaluate_run, release
from training.runs.run import Run, write_json


def change(run: Run, section: str, **settings: Any) -> None:
    """Other settings in a run's file."""
    path = run.folder / "config.yaml"
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(
        yaml.safe_dump({**found, section: {**found.get(section, {}), **settings}}), encoding="utf-8"
    )


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def mean_of(run: Run, *, k: int) -> float:
    """The pipeline's capped recall over all users, as `evaluation.json` has it."""
    systems = json.loads(text_of(run.folder / "evaluation.json"))["systems"]
    return float(systems["pipeline"]["all"][f"capped_recall_{k}"][0])


@pytest.mark.parametrize(
    ("section", "settings", "said"),
    [
        ("split", {"window_days": 7}, "not paired: other window"),
        ("history", {"targets": {"purchase": 2.0}}, "not paired: other targets"),
        ("evaluation", {"seed": 5}, "not paired: other evaluation"),
    ],
)
def test_runs_that_were_asked_otherwise_are_not_paired(
    workspace: Workspace, section: str, settings: dict[str, Any], said: str
) -> None:
    change(workspace.second, section, **settings)
    found = text_of(compare([workspace.first, workspace.second], workspace.config)[0])
    assert said in found
    assert f"Without the runs that are not paired with the first: {SECOND}." in found
    assert "differences to the first run" not in found


def test_each_row_of_a_comparison_has_its_own_k(workspace: Workspace) -> None:
    change(workspace.second, "evaluation", headline_k=10)
    evaluate_run(workspace.config, workspace.second)
    means = [mean_of(workspace.first, k=20), mean_of(workspace.second, k=10)]
    found = text_of(compare([workspace.first, workspace.second], workspace.config)[0])
    shown = [float(value) for value in re.findall(r"@(?:20|10): ([0-9.]+) \(", found)]
    assert shown == pytest.approx(
        means, abs=1e-4
    )  # the page's mean is of figures kept in 32 bits: the last digit may differ
    assert "capped recall (95 %)" in found
    assert "not paired: other evaluation" in found


@pytest.mark.parametrize(("figure", "wins"), [(1.0, True), (0.0, False)])
def test_a_champion_of_another_version_is_not_compared(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], figure: float, wins: bool
) -> None:
    """The new one is exported all the same, and wins where it beats every source."""
    write_json(
        workspace.folder / "champion.json", {"bundle": f"bundles/{FIRST}", "version": "1", "run": FIRST}
    )
    change(workspace.first, "of_another_version", setting=1)
    path = workspace.second.folder / USERS_FILE
    users = dict(np.load(path))
    np.savez(path, **{**users, "pipeline": np.full_like(users["pipeline"], figure)})
    released = release(workspace.config, workspace.second)
    assert released.decision.is_champion is wins
    pointer = read_pointer(workspace.folder)
    assert pointer is not None
    assert pointer.run == (SECOND if wins else FIRST)
    if wins:
        assert (
            f"by the retrievers alone, since the old one ({FIRST}) cannot be compared"
            in released.decision.why
        )
        assert f"the champion {FIRST} is of another version" in capsys.readouterr().err
    else:
        assert "a retriever alone is as good, so the champion stays" in released.decision.why


def test_pages_have_nothing_of_tracking_and_the_number_of_bots(workspace: Workspace) -> None:
    change(workspace.second, "tracking", uri="https://ann:s3cret@host", experiment="elsewhere")
    report_of_data = {"num_item_events": 5, "num_users": 3, "num_items": 2, "suspected_bots": 1234}
    write_json(workspace.second.folder / "prepare_report.json", report_of_data)
    workspace.second.update(compared_with={"champion": FIRST, "run": FIRST})
    write_review(workspace.second, workspace.config)
    review = workspace.second.folder / "review"
    comparison, _ = compare([workspace.first, workspace.second], workspace.config)
    for path in (review / "review.html", review / "description.md", comparison):
        assert "ranker.hidden_dim" in text_of(path), path.name
        for word in ("tracking.", "s3cret", "elsewhere"):
            assert word not in text_of(path), (path.name, word)
    assert "suspected bots" in text_of(review / "review.html")
    assert "1,234" in text_of(review / "review.html")
