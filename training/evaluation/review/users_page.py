"""`users.html`: the histories of twenty users with their lists, by product name. Users are known by index
alone."""

from __future__ import annotations

from dataclasses import dataclass

from training.evaluation.examples import Example
from training.evaluation.review.rendering import render


@dataclass(frozen=True)
class UsersPage:
    """What `users.html` shows."""

    name: str
    """The run"""
    examples: list[Example]
    num_users: int
    """How many users the examples were drawn from"""


def users_page(name: str, examples: list[Example], *, num_users: int) -> str:
    """The document for the run `name`."""
    return render("users.html", UsersPage(name, examples, num_users))
