"""Settings of a list: who proposes its candidates, who ranks them, and where it stands."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.settings.outcomes import Outcome, ValueName
from configs.settings.section import Section, Weight


class RetrieversConfig(Section):
    """The retrievers, which propose candidates for a list."""

    num_candidates: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """Retriever → how many items it proposes at most, where that is not its default: `{encoder: 500}`."""

    max_candidates: int = Field(300, ge=1)
    """Candidates that the ranker scores for one list, at most: of more, those that stand highest with the
    retrievers together. It is trained on all of them: what it would have learnt from the others is worth
    more than it costs."""

    popularity_days: float = Field(28, gt=0)
    """The recent window: what sold in this many days before `as_of` is popular."""

    num_neighbours: int = Field(50, ge=1)
    """Items kept for each item in the tables of `co_occurrence`, `next_basket`, `content`, `similar` and
    `association_rules`."""

    history_items: int = Field(50, ge=1)
    """How many of a user's latest distinct items look up their neighbours there."""

    next_basket_days: float = Field(7, gt=0)
    """Two baskets of one user at most this far apart count as a basket and the next."""

    trending_days: float = Field(7, gt=0)
    """`trending`: an event counts half as much after so many days. What an item has so is compared with what
    its own past, which halves eight times as slowly, would give it."""

    new_days: float = Field(28, gt=0)
    """How long an item is a new arrival."""

    new_events: float = Field(20, ge=0)
    """Target events, by weight, after which a new arrival has numbers of its own: it is drawn for exploration
    as any other item from then on, and is in the stage `introduction` no more."""

    due_days: float = Field(7, gt=0)
    """`due` orders a user's own items by the probability that they buy each within so many days."""


class RankerConfig(Section):
    """The small network that gives every candidate one score, and the probabilities of outcomes."""

    feature_groups: tuple[str, ...] | None = None
    """The groups of columns that it reads besides those of the retrievers, by name. Default: all."""

    hidden_dim: int = Field(64, ge=0)
    """Units of the hidden layer; 0 for a linear ranker."""

    max_epochs: int = Field(10, ge=1)
    """Passes over the ranker's lists, at most."""

    patience: int = Field(4, ge=1)
    """Stop after this many passes without a smaller loss on held-back users."""

    learning_rate: float = Field(3e-3, gt=0)
    """Step of the optimizer (AdamW)."""

    weight_decay: float = Field(1e-4, ge=0)
    """Pull of the weights towards zero (AdamW)."""

    max_users: int = Field(20_000, ge=1)
    """Users (drawn by seed) whose lists train the ranker."""

    outcomes: dict[Outcome, Weight] | None = None
    """The outcomes whose probabilities it learns beside its score, each with how much its loss counts beside
    the score's: `{click: 1, purchase: 1}`. `{}`: none. Default: those that the `weights` of surfaces need,
    each 1. `click` is a view or a click on the item. One that has no event in the data is left out, and said
    so."""

    seed: int = 0
    """Of the ranker's weights and of the users whose lists train it."""


class SurfaceConfig(Section):
    """One place on the site where a list stands."""

    retrievers: tuple[str, ...] | None = Field(None, min_length=1)
    """What proposes its candidates, by name. Default: every retriever but those that answer a question of
    their own, such as what is new."""

    order_by: Literal["ranker", "page", "retriever"] = "ranker"
    """`ranker`: the ranker's score. `page`: what goes with the items on the page first, by the score among
    equals. `retriever`: the score of the first of `retrievers` (of what it has for the page, where there are
    items on it), and then what only the others propose, by the ranker's score."""

    first_places: int | None = Field(None, ge=1)
    """With `order_by: retriever`, how many places at the head of its lists that retriever orders at most; all
    the rest of what is proposed follows by the ranker's score. Default: as many as it proposes items."""

    page_only: bool = False
    """Whether what is on the page, where there is something, is all that its list is about: neither the cart,
    the session nor the user's history propose anything."""

    weights: dict[ValueName, Weight] = Field(default_factory=dict)
    """What a list is ordered by where `ranker` orders it: the sum of the probabilities of the outcomes, each
    times its weight, `{click: 0.1, add_to_cart: 0.3, purchase: 1}`. `revenue` counts a purchase by its price,
    `margin` by price less `cost_of_goods_sold`, both in the shop's currency: beside them the other weights
    are amounts, too. Default: the ranker's one score for any of `history.targets`."""

    fallback: str | None = "popularity"
    """The retriever that fills a list that comes out short; null: none."""

    strangers: str | None = None
    """The retriever that orders the list of somebody without events, where it knows anything of them: their
    attributes, or the country, channel, device or campaign of the request; null: what the fallback gives
    everybody."""

    filters: tuple[str, ...] = ("page_items", "cart")
    """What is left out of its lists, by name. `page_items`: what is on the page. `cart`: what lies in the
    cart, which is what was added in the last day and neither removed nor bought since. `variants`: what has
    the `item_group_id` of one of both. What is out of stock, and what the request excludes, is always left
    out."""

    diversity: float = Field(0, ge=0, le=1)
    """How much unlike each other the items of its lists are, where the request does not say. 0: the best by
    score, however alike. 1: as unlike as the best candidates allow, and at most a fifth of one category."""

    exploration: float = Field(0, ge=0, le=1)
    """The share of the places of its lists whose items are drawn by lot with known probability, where the
    request does not say. Never the first place; the evaluation replays lists without it."""

    exploration_new: float = Field(0.8, ge=0, lt=1)
    """The probability that such a place goes to one of the new arrivals with fewer than
    `retrievers.new_events` target events, where there are any. 0: they are drawn as all others."""


PAGE_RETRIEVERS = (
    "association_rules",
    "co_occurrence",
    "cold_start",
    "encoder",
    "next_basket",
    "popularity",
    "repurchase",
    "user_knn",
)
"""What completes the items on a page comes first, then every retriever that `home` asks"""
DEFAULT_SURFACES = {
    "home": SurfaceConfig(strangers="popular_among"),
    "product": SurfaceConfig(
        retrievers=PAGE_RETRIEVERS,
        order_by="retriever",
        first_places=4,
        filters=("page_items", "cart", "variants"),
    ),
    "similar": SurfaceConfig(retrievers=("similar",), order_by="page", page_only=True, fallback=None),
    "cart": SurfaceConfig(
        retrievers=PAGE_RETRIEVERS,
        order_by="retriever",
        first_places=4,
        filters=("page_items", "cart", "variants"),
    ),
    "buy_again": SurfaceConfig(retrievers=("due", "repurchase"), order_by="retriever", fallback=None),
    "trending": SurfaceConfig(retrievers=("trending",), order_by="retriever", diversity=0.3, fallback=None),
    "new": SurfaceConfig(retrievers=("new_arrivals",), fallback=None),
    "deals": SurfaceConfig(retrievers=("deals",), fallback=None),
    "popular": SurfaceConfig(retrievers=("popular_among",), order_by="retriever"),
}
