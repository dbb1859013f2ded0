"""What the ranker's training lists ask, and what is right: of one user, from what they did in the window.

`home`: what do they have in the window? For `split.kind=session`, how does the session go on? `page`: the
page shows part of one basket of the window, what else is in it?
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.histories import History, IntArray
from serving.recommend.request import Query

TRAINING_SURFACES: Final = ("home", "product", "cart")
"""Surfaces that training lists are asked for as"""
MAX_PAGE_ITEMS: Final = 3
PAGE_WEIGHT: Final = 0.1
"""How much a list with a page counts beside a home page's"""


@dataclass(frozen=True)
class ListQuestion:
    """One list that the server would make, and what is right in it."""

    query: Query
    relevant: IntArray
    """Distinct items: none that is on the page"""
    outcomes: tuple[IntArray, ...] = ()
    """Of each outcome the items that the user had it with"""
    weight: float = 1.0
    """How much its list counts among others"""


def questions_of_user(
    home: Query,
    future: History,
    of_outcomes: Sequence[History],
    *,
    surfaces: Collection[str],
    generator: np.random.Generator,
) -> list[ListQuestion]:
    """The home page's question, and where some basket has two items, one with a page.

    `future`: the user's target events of the window; `of_outcomes`: those of each outcome. `surfaces`: of the
    bundle. A page of one item is asked for as `product`, one of several as `cart`, where there is such a
    surface, so that the ranker reads candidates as that surface has them.
    """
    asked = [ListQuestion(home, np.unique(future.items), tuple(one.items for one in of_outcomes))]
    held = np.unique(np.stack([future.baskets, future.items]), axis=1)
    baskets, sizes = np.unique(held[0], return_counts=True)
    if (sizes > 1).any():
        chosen = generator.choice(baskets[sizes > 1])
        page, rest = _divided(held[1, held[0] == chosen], generator)
        surface = "product" if len(page) == 1 else "cart"
        query = replace(home, page_items=page, surface=surface if surface in surfaces else home.surface)
        in_basket = tuple(one.items[one.baskets == chosen] for one in of_outcomes)
        asked.append(ListQuestion(query, rest, in_basket, PAGE_WEIGHT))
    return asked


def _divided(basket: NDArray[np.int64], generator: np.random.Generator) -> tuple[IntArray, IntArray]:
    """(what the page shows, the rest) of a basket of two items or more, drawn by lot."""
    drawn = generator.permutation(basket).astype(np.int32)
    num_shown = int(generator.integers(1, min(MAX_PAGE_ITEMS, len(drawn) - 1) + 1))
    return drawn[:num_shown], drawn[num_shown:]
