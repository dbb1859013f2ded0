"""Writes the review of a run into its folder; MLflow copies it from there.

review/review.html         the page
review/*.png               its pictures
review/users.html          twenty users with their lists
review/description.md      the run's description in MLflow
"""

from __future__ import annotations

import shutil

from configs.schema import Config
from training.evaluation.review.description import description
from training.evaluation.review.gather import gather
from training.evaluation.review.review_page import draw, review_page
from training.evaluation.review.users_page import users_page
from training.runs.run import Run

FOLDER = "review"
PAGE = "review.html"


def write_review(run: Run, config: Config) -> None:
    """Make all pages anew from the run's folder. Raises ArtefactError for a run without an evaluation."""
    review = gather(run, config)
    drawn = draw(review)
    scratch, folder = run.folder / f".{FOLDER}.part", run.folder / FOLDER
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for name, png in drawn.items():
        (scratch / f"{name}.png").write_bytes(png)
    documents = {
        PAGE: review_page(review, drawn),
        "users.html": users_page(run.name, review.examples, num_users=review.num_users),
        "description.md": description(review),
    }
    for name, text in documents.items():
        (scratch / name).write_text(text, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)
