"""The pages say what the evaluation found, by product name, and hold no user's id."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from reviewed_runs import FIRST, NAUGHTY, SECOND, Workspace, copy_of

from configs.exceptions import ArtefactError
from training.evaluation.review.compare import compare, runs_to_compare
from training.evaluation.review.gather import gather
from training.evaluation.review.rendering import TEMPLATES, code, environment, render
from training.evaluation.review.users_page import users_page
from training.evaluation.review.write import write_review
from training.evaluation.user_figures import UserFigures
from training.runs.run import Run

RAW_USER = re.compile(r"\bc\d{3}\b")
"""How the small shop calls its customers."""
PICTURES = {
    "against_retrievers",
    "by_history_length",
    "by_item_popularity",
    "by_repeat_or_new",
    "index_recall_and_speed",
    "learning_curves",
}


class Seen(HTMLParser):
    """What a browser would show of a page, and the tags it would make."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def seen(path: Path) -> Seen:
    return Seen(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def evaluated(evaluated: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The two runs in a place of their own, since the second's page is written anew."""
    return copy_of(evaluated, tmp_path_factory.mktemp("pages") / "workspace")


@pytest.fixture(scope="module")
def compared(evaluated: Workspace) -> Path:
    """The page of both runs, with the first as the second's champion."""
    evaluated.second.update(compared_with={"champion": FIRST, "run": FIRST})
    write_review(evaluated.second, evaluated.config)
    return compare([evaluated.first, evaluated.second], evaluated.config)[0]


def pages(workspace: Workspace, compared: Path) -> list[Path]:
    runs = (workspace.first, workspace.second)
    return [
        compared,
        *(run.folder / "review" / name for run in runs for name in ("review.html", "users.html")),
    ]


def test_pages_load_nothing_and_run_nothing(evaluated: Workspace, compared: Path) -> None:
    for path in pages(evaluated, compared):
        found = seen(path)
        assert "script" not in found.tags
        assert "iframe" not in found.tags
        assert [name for name, _ in found.attributes if name.startswith("on")] == []
        links = [value for name, value in found.attributes if name in ("src", "href")]
        assert [value[:40] for value in links if not value.startswith(("data:image/png;base64,", "#"))] == []


def test_a_shops_text_stays_text(evaluated: Workspace, compared: Path) -> None:
    shown = seen(evaluated.first.folder / "review" / "users.html")
    assert NAUGHTY in shown.text
    assert shown.tags.count("img") == 0
    assert shown.tags.count("b") == 0


def test_no_users_id_is_on_any_page_or_in_any_file_for_mlflow(evaluated: Workspace, compared: Path) -> None:
    for path in pages(evaluated, compared):
        text = " ".join(seen(path).text)
        assert RAW_USER.search(text) is None, path
    for name in ("examples.json", "evaluation.json", "review/description.md"):
        assert RAW_USER.search((evaluated.second.folder / name).read_text(encoding="utf-8")) is None, name


def test_the_page_has_the_evaluations_figures_and_pictures(evaluated: Workspace, compared: Path) -> None:
    folder = evaluated.first.folder
    summary = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    text = " ".join(seen(folder / "review" / "review.html").text)
    for system, parts in summary["systems"].items():
        mean, low, high = parts["all"]["capped_recall_20"]
        assert f"{mean:.4f} ({low:.4f} to {high:.4f})" in text, system
    for row in summary["breakdowns"]:
        for mean, low, high in row["systems"].values():
            assert f"{mean:.4f} ({low:.4f} to {high:.4f})" in text, row["name"]
    for point in summary["index"]["points"]:
        assert point["kind"] in text
    spread, k = summary["spread"], evaluated.config.evaluation.headline_k
    assert spread["num_used"] / spread["num_items"] == pytest.approx(summary["coverage"]["pipeline"][str(k)])
    assert 0.01 <= spread["top_1"] <= spread["top_10"] <= 1
    assert {path.stem for path in (folder / "review").glob("*.png")} == PICTURES
    assert seen(folder / "review" / "review.html").tags.count("img") == len(PICTURES)
    for path in (folder / "review").glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_the_whole_table_is_the_sum_of_its_bands(evaluated: Workspace) -> None:
    rows = gather(evaluated.first, evaluated.config).breakdowns
    (total,) = (row for row in rows if row.by == "all")
    bands = [row for row in rows if row.by == "history"]
    assert sum(row.num_users for row in bands) == total.num_users
    mean = sum(row.systems["pipeline"][0] * row.num_users for row in bands) / total.num_users
    assert mean == pytest.approx(total.systems["pipeline"][0], abs=1e-4)


def test_what_moved_since_the_champion(evaluated: Workspace, compared: Path) -> None:
    ours, theirs = (UserFigures.find(run.folder) for run in (evaluated.second, evaluated.first))
    assert ours is not None
    assert theirs is not None
    mean = (ours.values["pipeline"]["all"] - theirs.values["pipeline"]["all"]).mean()
    text = " ".join(seen(evaluated.second.folder / "review" / "review.html").text)
    assert f"{mean:+.4f} (" in text
    assert "ranker.hidden_dim" in text
    assert f"The champion is {FIRST}" in text
    assert (evaluated.second.folder / "review" / "against_champion.png").is_file()
    assert "There is nothing to compare with" in " ".join(
        seen(evaluated.first.folder / "review" / "review.html").text
    )
    description = (evaluated.second.folder / "review" / "description.md").read_text(encoding="utf-8")
    assert f"champion {FIRST} | {mean:+.4f} (" in description


def test_the_twenty_users_are_of_all_lengths_and_their_hits_are_true(evaluated: Workspace) -> None:
    found = gather(evaluated.first, evaluated.config).examples
    figures = UserFigures.find(evaluated.first.folder)
    assert figures is not None
    assert len({example.user for example in found}) == 20
    bands = [example.band for example in found]
    assert {bands.count(band) for band in bands} == {5}
    place = {user: row for row, user in enumerate(figures.users["all"].tolist())}
    for example in found:
        hits = sum(shown.taken for shown in example.places)
        row = place[example.user]
        assert hits == figures.hits_UB["pipeline"][row].sum()
        assert example.num_taken == figures.relevant_UB[row].sum()
        assert sum(one.rank is not None for one in example.taken) == hits
        days = [one.days_ago for one in example.past]
        assert days == sorted(days)  # type: ignore[type-var]
        assert example.num_events >= len(example.past)


def test_a_comparison_names_runs_differences_and_settings(evaluated: Workspace, compared: Path) -> None:
    text = " ".join(seen(compared).text)
    assert FIRST in text
    assert SECOND in text
    assert "ranker.hidden_dim" in text
    assert seen(compared).tags.count("img") == 5
    assert [run.name for run in runs_to_compare(evaluated.folder, [])] == [FIRST, SECOND]
    assert [run.name for run in runs_to_compare(evaluated.folder, [SECOND, FIRST, SECOND])] == [SECOND, FIRST]
    with pytest.raises(ArtefactError, match="needs two evaluated runs"):
        runs_to_compare(evaluated.folder, [FIRST])


def test_a_run_of_another_version_says_how_to_evaluate_it_anew(tmp_path: Path, evaluated: Workspace) -> None:
    run = Run.create(tmp_path / "runs", name="old")
    with pytest.raises(ArtefactError, match=f"shopkeeper evaluate --run {run.name}"):
        write_review(run, evaluated.config)


def test_code_in_sentences_is_marked_and_everything_else_is_escaped() -> None:
    assert code("Call `x < y` & go.") == "Call <code>x &lt; y</code> &amp; go."
    document = users_page("<a><script>", [], num_users=0)
    assert "<title>Example users of &lt;a&gt;&lt;script&gt;</title>" in document
    assert "script" not in Seen(document).tags


@pytest.mark.parametrize("why", ["it reads <b>better</b>", "<i>fewer</i> & <script>alert(1)</script>"])
def test_a_reason_given_by_hand_stays_text(evaluated: Workspace, tmp_path: Path, why: str) -> None:
    run = Run(shutil.copytree(evaluated.first.folder, tmp_path / "runs" / FIRST))
    run.update(bundle={"version": "0123456789abcdef", "champion": True, "why": why})
    write_review(run, evaluated.config)
    shown = seen(run.folder / "review" / "review.html")
    assert f"It was exported and became the champion ({why})." in "".join(shown.text)
    assert {"i", "script"}.isdisjoint(shown.tags)
    assert shown.tags.count("b") == shown.attributes.count(("class", "card"))


def test_a_value_that_a_page_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="has no attribute 'examples'"):
        render("users.html", Path())


def test_every_html_template_escapes() -> None:
    templates = [path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")]
    assert {"review.html", "users.html", "comparison.html", "macros.html"} <= set(templates)
    autoescape = environment().autoescape
    assert callable(autoescape)
    assert [name for name in templates if not autoescape(name)] == []
