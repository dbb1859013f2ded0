"""What `evaluation.json` says: the one place that knows its entries."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from configs.exceptions import ArtefactError
from features.core.artefact import writing_file
from training.evaluation.breakdowns import Breakdown, Difference, Interval

EVALUATION_FILE: Final = "evaluation.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class MostShown(_Record):
    """An item of the catalogue that stands in many lists."""

    id: str
    title: str
    users: int
    """How many users have it in the first places of their list"""


class Spread(_Record):
    """How unevenly the first places of the lists are spread over the items that may be shown, see
    `features.core.concentration`."""

    num_items: int
    num_used: int
    top_1: float
    top_10: float
    gini: float


class IndexMeasurement(_Record):
    """One way of searching for the nearest items."""

    kind: str
    recall_100: float
    """recall@100 against exact search"""
    milliseconds: float
    """For one query on one thread"""


class MeasuredIndexes(_Record):
    """The index that the bundle uses, and all that were measured."""

    chosen: str
    points: list[IndexMeasurement]

    @property
    def chosen_points(self) -> list[IndexMeasurement]:
        """The measurements of the index in use."""
        return [point for point in self.points if point.kind == self.chosen]


class EvaluationRecord(_Record):
    """The table of a run, with its breakdowns."""

    split_point: str
    as_of: int
    """Microseconds since 1970 UTC"""
    split: str
    users: dict[str, int]
    """Part (`all`, `repeat`, `new`) → users with something relevant in it"""
    users_in_window: int
    systems: dict[str, dict[str, dict[str, Interval]]]
    """System → part → metric → (mean, low, high)"""
    coverage: dict[str, dict[str, float]]
    """System → k → share of the items that may be shown which stand in some list"""
    breakdowns: list[Breakdown] = []
    over_retrievers: list[Difference] = []
    """The pipeline minus each retriever alone, the closest first"""
    most_shown: list[MostShown] = []
    spread: Spread | None = None
    """Of the pipeline's lists; None in a record that was made before it was counted"""
    index: MeasuredIndexes = MeasuredIndexes(chosen="", points=[])

    @classmethod
    def find(cls, folder: Path) -> EvaluationRecord | None:
        """The record of a run's folder; None before its evaluation. Raises ArtefactError for one that cannot
        be read."""
        path = folder / EVALUATION_FILE
        if not path.is_file():
            return None
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except ValueError as error:  # pydantic's ValidationError is one
            raise ArtefactError(
                f"{path}: made by another version of Shopkeeper, or edited ({error}). Evaluate the run "
                "again with "
                "`shopkeeper evaluate`."
            ) from None

    def write(self, folder: Path) -> None:
        """Write it into a run's folder."""
        with writing_file(folder / EVALUATION_FILE) as scratch:
            scratch.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def headline(self, system: str, *, k: int) -> float:
        """Mean capped recall of a system over all users."""
        return self.systems[system]["all"][headline_metric(k)][0]


def headline_metric(k: int) -> str:
    """What decides between bundles."""
    return f"capped_recall_{k}"
