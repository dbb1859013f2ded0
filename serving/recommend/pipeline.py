"""State in, list out: the pipeline that the server runs and that the evaluation replays.

user's history → what each retriever gives → candidates with columns → one score → filters → selectors → list
with reasons
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.settings.recommend import SurfaceConfig
from features.core.columns import MICROSECONDS_PER_DAY
from features.core.participles import participles
from features.histories import History, IntArray
from features.profiles.user_profile import UserProfile
from features.retriever import Retrieval, Retriever, ScoredItems, UserContext, Wording
from features.retrievers import retrievers_of
from features.retrievers.new_arrivals import NewArrivals
from serving.recommend.bundle import Bundle
from serving.recommend.candidates import Candidates, KnownUser, RankerColumns
from serving.recommend.composed_lists import Made, composed
from serving.recommend.diversity import Diversity, pool_size
from serving.recommend.exploration import exploration_weights
from serving.recommend.feature_group import CandidateContext
from serving.recommend.filter import FilterContext
from serving.recommend.filters import filters_of
from serving.recommend.first_pass import first_pass
from serving.recommend.list_value import ListValue
from serving.recommend.reasons import explain
from serving.recommend.remarks import fallback_used, shortfall_reason
from serving.recommend.request import Answer, Query, Recommendation, no_items
from serving.recommend.retrieved import Retrieved
from serving.recommend.selectors import Selected, fill_up, scores_of
from serving.recommend.slow_retrievers import SlowRetrievers
from serving.recommend.stages import Stages
from serving.recommend.strangers import stranger_retriever
from serving.recommend.trace import Trace
from serving.recommend.user_context import UserContexts


@dataclass(frozen=True)
class Ranked:
    """Every candidate of a request, best first, before filters and selectors."""

    items: IntArray
    """(C,)"""
    scores: NDArray[np.float32]
    """(C,)"""
    retrievals: Mapping[str, Retrieval]
    """Retriever → what it found, of every retriever that the surface or the ranker reads"""
    user: KnownUser

    def followed_by(self, deeper: Ranked) -> Ranked:
        """What `deeper` has besides comes after, with scores that are not above."""
        is_new = ~np.isin(deeper.items, self.items)
        lowest = self.scores.min(initial=np.inf)
        return replace(
            deeper,
            items=np.concatenate([self.items, deeper.items[is_new]]),
            scores=np.concatenate([self.scores, np.minimum(deeper.scores[is_new], lowest)]),
        )

    @property
    def profile(self) -> UserProfile:
        """The user's, at the moment of the request."""
        return self.user.context.profile


class Pipeline:
    """A bundle ready to answer. Nothing in it changes but what is sold out and what things are called, so
    threads may share it."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.columns = RankerColumns.of(bundle)
        self._filters = {
            (name, exclude_cart): filters_of(surface, exclude_cart=exclude_cart)
            for name, surface in bundle.surfaces.items()
            for exclude_cart in (None, False, True)
        }
        self._values = {
            name: ListValue.of(bundle, surface.weights) for name, surface in bundle.surfaces.items()
        }
        settings = bundle.settings
        self._diversity = Diversity(bundle)
        self._contexts = UserContexts(bundle.item_profiles, settings)
        done = participles(settings.history.target_event_types, word="or")
        self._wording = {
            is_recent: Wording(bundle.titles, done, is_recent=is_recent, has_times=settings.has_times)
            for is_recent in (False, True)
        }
        general = [name for name, one in bundle.retrievers.items() if one.is_general]
        self._impersonal = frozenset(name for name in general if len(self._stranger.retrieved[name].items))
        """Those that give strangers something. Nobody takes a list of what is new for a personal one."""
        self.num_followed = 0
        """Changes of the live catalogue after which a retriever gives something else"""

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read and verify a bundle folder; raises ArtefactError."""
        pipeline = cls(Bundle.open(folder))
        if pipeline.bundle.ranker is not None:
            pipeline.bundle.ranker.require_columns(pipeline.columns.names, where=folder)
        return pipeline

    def follow(self, item: int, fields: Mapping[str, Any]) -> None:
        """Let the retrievers take up what the live catalogue says of an item (column → value). Call it
        between two requests."""
        followed = [one.follow(item, fields) for one in self.bundle.retrievers.values()]
        if any(followed):
            self.num_followed += 1
            self.__dict__.pop("_stranger", None)

    @cached_property
    def _stranger(self) -> KnownUser:
        """Somebody of whom nothing is known."""
        return self.know(Query(History.empty(), self.bundle.as_of))

    def recommend(self, query: Query, *, ranked: Ranked | None = None) -> Answer:
        """The list of one surface: ranked, filtered, cut to length or filled up, each item with its reasons.

        `ranked` is what `rank` gave for the same history, surface and page at the same moment.
        """
        ranked = ranked or self.rank(query)
        selected = self.select(query, ranked)
        diversity = self._diversity_of(query)
        if query.is_narrowed and (selected.num_ranked < query.depth or diversity):
            pool = pool_size(query.num_results) if diversity else None
            ranked = self.deepened(
                query,
                ranked,
                self.allowed(query, ranked.profile),
                page=pool or query.num_results,
                whole=pool or query.depth,
            )
            selected = self.select(query, ranked)
        surface = self.bundle.surfaces[query.surface]
        exploration = surface.exploration if query.options.exploration is None else query.options.exploration
        if query.options.promotions or exploration:
            made = composed(self, query, ranked, exploration=exploration)
        else:
            page = selected.after(query.options.offset)
            made = Made(
                self.explained(query, page, ranked.retrievals), page.num_ranked, selected.items, page.has_more
            )
        found = made.recommendations
        num_allowed = selected.num_allowed - query.options.offset
        return Answer(
            found,
            query.num_results,
            shortfall_reason=shortfall_reason(
                query, found=len(found), allowed=num_allowed, fallback=surface.fallback
            ),
            fallback_used=fallback_used(
                query,
                found,
                num_ranked=made.num_ranked,
                fallback=surface.fallback,
                impersonal=self._impersonal,
                stranger_retriever=self._stranger_retriever(query, ranked.user),
            ),
            has_more=made.has_more,
            as_of=query.as_of,
            trace=self._trace(query, ranked, made) if query.options.explain else None,
        )

    def know(self, query: Query, *, slow: SlowRetrievers | None = None) -> KnownUser:
        """What the stored history says by itself at the moment of the query: nothing of the page or
        surface. `slow`: on a server, which retrievers are left out because they took too long."""
        context = self.context(query)
        ask = (lambda one: one.for_user(context)) if slow is None else (lambda one: slow.ask(one, context))
        retrieved = Retrieved(self.bundle.retrievers, ask)
        return KnownUser(context, retrieved)

    def context(self, query: Query) -> UserContext:
        """The part of `know` that no retriever makes: the user's history and profile."""
        return self._contexts.build(query)

    def candidates(
        self,
        query: Query,
        *,
        known: KnownUser | None = None,
        allowed: NDArray[np.bool_] | None = None,
        limit: int | None = None,
    ) -> tuple[Candidates, KnownUser]:
        """What the surface's retrievers propose, with columns: what the ranker is trained on and served with.

        `known` is what `know` gave for the same history at the same moment. `allowed` (N,): they propose
        nothing else, and search as deep as that takes. At most `limit` of them stay; None: all.
        """
        known = known or self.know(query)
        retrievals = self.retrieve(query, known, allowed=allowed)
        proposed = [retrieval.proposed for retrieval in retrievals.values()]
        items = first_pass(proposed, limit=limit or self.bundle.num_items)
        return self._with_columns(items, query, known, retrievals), known

    def rank(
        self, query: Query, *, known: KnownUser | None = None, allowed: NDArray[np.bool_] | None = None
    ) -> Ranked:
        """Score every candidate of the surface's retrievers, best first; no filter is applied. `known` and
        `allowed`: see `candidates`.

        With nothing to go by, the score is that of the surface's `strangers` or fallback.
        """
        limit = self.bundle.settings.retrievers.max_candidates
        candidates, known = self.candidates(query, known=known, allowed=allowed, limit=limit)
        scores = self._scores(query, candidates, known)
        order = np.argsort(-scores, kind="stable")
        return Ranked(candidates.items[order], scores[order], candidates.retrievals, known)

    def score(self, query: Query, items: IntArray, *, known: KnownUser | None = None) -> NDArray[np.float32]:
        """(C,) the scores of `items` (C,), whoever would propose them, as `rank` gives them to candidates."""
        known = known or self.know(query)
        distinct, place = np.unique(items, return_inverse=True)
        candidates = self._with_columns(distinct, query, known, self.retrieve(query, known))
        found: NDArray[np.float32] = self._scores(query, candidates, known)[place]
        return found

    def outputs(self, query: Query, items: IntArray, *, known: KnownUser) -> NDArray[np.float32]:
        """(C, 1 + K) what the ranker tells of distinct `items` (C,): its score and the probabilities of the
        bundle's outcomes."""
        assert self.bundle.ranker is not None, "this bundle was made to fit a ranker with and has none yet"
        candidates = self._with_columns(items, query, known, self.retrieve(query, known))
        return self.bundle.ranker.outputs(candidates.features)

    def deepened(
        self, query: Query, ranked: Ranked, allowed: NDArray[np.bool_], *, page: int, whole: int
    ) -> Ranked:
        """Where fewer than `whole` of the candidates are `allowed` (N,): those that a search among the
        allowed ones gives. Where the present ones suffice for a `page`, they stay, and the others follow, so
        that a list's pages are the same however many of them are made."""
        num_allowed = np.count_nonzero(allowed[ranked.items])
        is_by_score = self.bundle.surfaces[query.surface].order_by == "ranker"
        if num_allowed >= (whole if is_by_score else page):
            return ranked
        deeper = self.rank(query, known=ranked.user, allowed=allowed)
        return deeper if num_allowed < page else ranked.followed_by(deeper)

    def in_order(
        self, query: Query, ranked: Ranked, allowed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Places in `ranked` of what `allowed` (N,) marks, best first in the order of the surface; and the
        scores (C,) of that order."""
        surface = self.bundle.surfaces[query.surface]
        order, scores = np.arange(len(ranked.items)), ranked.scores
        found: list[ScoredItems] = []
        if surface.order_by == "page" and len(query.page_items):
            found = [one.for_page(query.page_items) for one in self._retrievers(surface).values()]
        elif surface.order_by == "retriever":
            name, page = retrievers_of(surface)[0], query.page_items
            first = ranked.retrievals[name]
            found = [
                first.for_user,
                self.bundle.retrievers[name].for_page(page) if len(page) else first.for_page,
            ]
        if found:
            scores = scores_of(
                found,
                ranked.items,
                otherwise=ranked.scores,
                allowed=allowed[ranked.items],
                first_places=surface.first_places,
            )
            order = np.argsort(-scores, kind="stable")
        return order[allowed[ranked.items[order]]], scores

    def select(
        self, query: Query, ranked: Ranked, *, length: int | None = None, page_length: int | None = None
    ) -> Selected:
        """Apply the surface's filters and order, and fill a short list up.

        `length`: of the list, where it is not the query's. `page_length`: diversity is kept in each page of
        so many.
        """
        surface = self.bundle.surfaces[query.surface]
        length = query.depth if length is None else length
        allowed = self.allowed(query, ranked.profile)
        order, scores = self.in_order(query, ranked, allowed)
        if diversity := self._diversity_of(query):
            mixed = self._diversity.order(
                ranked.items[order],
                diversity=diversity,
                length=length,
                page_length=query.num_results if page_length is None else page_length,
            )
            order = order[mixed]
        shown = order[:length]
        selected = Selected(
            ranked.items[shown],
            scores[shown],
            num_ranked=len(shown),
            num_allowed=int(np.count_nonzero(allowed)),
            has_more=len(order) > length,
        )
        if surface.fallback is None:
            return selected
        fallback = ranked.user.retrieved[surface.fallback]
        return fill_up(selected, fallback=fallback, allowed=allowed, length=length)

    def explained(
        self, query: Query, selected: Selected, retrievals: Mapping[str, Retrieval]
    ) -> tuple[Recommendation, ...]:
        """A list with its reasons, in the words of `retrievals`."""
        surface = self.bundle.surfaces[query.surface]
        retrievers = self._retrievers(surface)
        if surface.strangers is not None and query.is_stranger:
            retrievers[surface.strangers] = self.bundle.retrievers[surface.strangers]
        return explain(
            selected,
            retrievers=retrievers,
            retrievals=retrievals,
            fallback=self._fallback(query),
            wording=self._wording[self._is_recent(query)],
        )

    @cached_property
    def exploration_weights(self) -> NDArray[np.float64]:
        """(N,) what the probability of being drawn is proportional to."""
        return exploration_weights(np.asarray(self.bundle.item_profiles.popularity))

    @cached_property
    def unproven(self) -> NDArray[np.bool_]:
        """(N,) new arrivals that have no numbers of their own yet; none in a bundle that does not know what
        is new."""
        found = self.bundle.retrievers.get(NewArrivals.name)
        return found.is_unproven if isinstance(found, NewArrivals) else np.zeros(self.bundle.num_items, bool)

    @cached_property
    def page_value(self) -> ListValue | None:
        """What an item is worth on a page of several surfaces."""
        return ListValue.of_pages(self.bundle)

    def is_shared(self, name: str, found: ScoredItems) -> bool:
        """Whether a retriever gave the very object that it gives to everybody."""
        return found is self._stranger.retrieved[name]

    def alone(self, name: str, user: KnownUser, *, count: int) -> IntArray:
        """The list of one retriever by itself, best first; no filter is applied."""
        return self.bundle.retrievers[name].alone(user.context, user.retrieved[name], count=count)

    def most_popular(self, num_items: int) -> IntArray:
        """What the home page's fallback shows to a stranger, of what can be bought."""
        fallback = self.bundle.surfaces["home"].fallback
        found = self._stranger.retrieved[fallback] if fallback else ScoredItems.none()
        return found.best(num_items, allowed=self.bundle.recommendable)

    def retrieve(
        self, query: Query, known: KnownUser, *, allowed: NDArray[np.bool_] | None = None
    ) -> dict[str, Retrieval]:
        """What every retriever that the surface or the ranker reads gives for the user and for what is on the
        page, in the cart or was just viewed; of nothing but `allowed` (N,), where that is given."""
        bundle, profile, surface = self.bundle, known.context.profile, self.bundle.surfaces[query.surface]
        is_page_only = surface.page_only and len(query.page_items) > 0
        visit = () if is_page_only else (profile.cart_items, profile.session_items)
        context_items = _first_of_each(np.concatenate([query.page_items, *visit]))
        limits = bundle.settings.retrievers.num_candidates
        proposing = {*retrievers_of(surface), self._stranger_retriever(query, known)}
        named = {*proposing, surface.fallback, surface.strangers if query.is_stranger else None}
        found = {}
        for name, retriever in bundle.retrievers.items():
            if not (retriever.is_general or retriever.columns or name in named):
                continue
            for_user = known.retrieved[name]
            limit = limits.get(name, retriever.num_candidates) if name in proposing else 0
            is_asked = len(context_items) and (limit or retriever.columns)
            for_page = retriever.for_page(context_items) if is_asked else ScoredItems.none()
            if allowed is not None and limit:
                for_user = retriever.deeper(known.context, for_user, allowed=allowed, count=limit)
            wanted = (for_page,) if is_page_only else (for_page, for_user)
            both = [one for one in wanted if limit and len(one.items)]
            shown = bundle.recommendable if allowed is None else allowed
            best = [one.best(limit, allowed=shown) for one in both]
            proposed = best[0] if len(best) == 1 else np.concatenate([no_items(), *best])
            found[name] = Retrieval(known.context, for_user, context_items, for_page, proposed)
        return found

    def _with_columns(
        self, items: IntArray, query: Query, known: KnownUser, retrievals: Mapping[str, Retrieval]
    ) -> Candidates:
        features = self.columns.compute(
            items,
            retrievals=retrievals,
            context=CandidateContext(known.context.profile, self.bundle.ranked_profiles, query.as_of),
            has_times=self.bundle.settings.has_times,
        )
        return Candidates(items, features, self.columns.names, retrievals)

    def _scores(self, query: Query, candidates: Candidates, known: KnownUser) -> NDArray[np.float32]:
        """(C,) the ranker's, by the weights of the surface; with nothing to go by, those of `strangers` or
        the fallback."""
        if (name := self._ordering(query, known)) is not None:
            return known.retrieved[name].at(candidates.items)
        assert self.bundle.ranker is not None, "this bundle was made to fit a ranker with and has none yet"
        value = self._values[query.surface]
        if value is None:
            return self.bundle.ranker.scores(candidates.features)
        return value.combined(self.bundle.ranker.outputs(candidates.features), candidates.items)

    def _stranger_retriever(self, query: Query, known: KnownUser) -> str | None:
        """The one that proposes and orders a stranger's list, where it knows anything of them."""
        surface = self.bundle.surfaces[query.surface]
        return stranger_retriever(surface, query, known, is_shared=self.is_shared)

    def _ordering(self, query: Query, known: KnownUser) -> str | None:
        """The retriever that orders the list in place of the ranker, where there is nothing to go by."""
        if not query.is_stranger:
            return None
        return self._stranger_retriever(query, known) or self.bundle.surfaces[query.surface].fallback

    def _is_recent(self, query: Query) -> bool:
        """Whether the bundle's recent window is less than its own length ago."""
        days = self.bundle.settings.retrievers.popularity_days
        return query.as_of - self.bundle.as_of <= days * MICROSECONDS_PER_DAY

    def _diversity_of(self, query: Query) -> float:
        surface = self.bundle.surfaces[query.surface]
        return surface.diversity if query.options.diversity is None else query.options.diversity

    def _retrievers(self, surface: SurfaceConfig) -> dict[str, Retriever]:
        return {name: self.bundle.retrievers[name] for name in retrievers_of(surface)}

    def _fallback(self, query: Query) -> Retriever | None:
        name = self.bundle.surfaces[query.surface].fallback
        return self.bundle.retrievers[name] if name else None

    def allowed(self, query: Query, profile: UserProfile) -> NDArray[np.bool_]:
        """(N,) what the surface's filters leave."""
        context = self._filter_context(query, profile)
        allowed = np.ones(self.bundle.num_items, bool)
        for one in self._filters[query.surface, query.exclude_cart]:
            removed = one.removed(context)
            if removed.dtype == np.bool_:
                allowed &= ~removed
            elif len(removed):
                allowed[removed] = False
        return allowed

    def _filter_context(self, query: Query, profile: UserProfile) -> FilterContext:
        return FilterContext(query, profile, self.bundle.recommendable, lambda: self.bundle.item_groups)

    def _trace(self, query: Query, ranked: Ranked, made: Made) -> Trace:
        """How a list came about, with what became of the query's `explain_items`."""
        surface = self.bundle.surfaces[query.surface]
        context = self._filter_context(query, ranked.profile)
        removed = {}
        for one in self._filters[query.surface, query.exclude_cart]:
            removed[one] = np.zeros(self.bundle.num_items, bool)
            removed[one][one.removed(context)] = True
        order, _ = self.in_order(query, ranked, self.allowed(query, ranked.profile))
        proposing = {*retrievers_of(surface), self._stranger_retriever(query, ranked.user)}
        return Stages(
            proposed={name: one.proposed for name, one in ranked.retrievals.items() if name in proposing},
            scored=ranked.items,
            scored_by=self._ordering(query, ranked.user) or "ranker",
            removed=removed,
            in_order=ranked.items[order],
            shown=made.shown.tolist(),
            offset=query.options.offset,
            num_promoted=Counter(one.promotion for one in made.recommendations if one.promotion),
            num_explored=sum(one.propensity is not None for one in made.recommendations),
            fallback=surface.fallback,
            num_filled=len(made.recommendations) - made.num_ranked,
            diversity=self._diversity_of(query),
        ).trace(query.options.explain_items.tolist())


def _first_of_each(items: IntArray) -> IntArray:
    """Each item once, in the order of its first place."""
    if not len(items):
        return no_items()
    return items[np.sort(np.unique(items, return_index=True)[1])].astype(np.int32)
