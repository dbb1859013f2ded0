"""Whether the shares of a list that a request gives away are there to be given."""

from __future__ import annotations

from serving.http.problems import invalid_field
from serving.http.schemas import ListRequest


def check_shares(request: ListRequest) -> None:
    """Raise Problem where promotions have one name, or more places are given away than there are."""
    names = [one.name for one in request.promotions]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise invalid_field("promotions", f"{twice[0]!r} is there twice: give each its own name")
    shares = sum(one.share for one in request.promotions) + (request.exploration or 0)
    if shares > 1 + 1e-9:
        what = "the shares and exploration" if request.exploration else "the shares"
        raise invalid_field("promotions", f"{what} add up to {shares:g}; a list has 1 to give away")
