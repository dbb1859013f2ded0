"""State in, list out: the pipeline that the server runs and that the evaluation replays.

describe the person → what each source says → candidates with features → one score → rules → list with reasons
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from configs.schema import SurfaceConfig
from features.core.columns import EVENT_TYPE_CODE
from features.histories import IntArray, distinct
from features.profiles.user_profile import UserProfile, build_user_profile
from features.retrievers.user_knn import people_scores
from serving.recommend.bundle import Bundle
from serving.recommend.candidate_features import describe_candidates
from serving.recommend.candidates import Candidates, Scores, Signals, sum_neighbours
from serving.recommend.encoder import Encoder
from serving.recommend.feature_names import HALF_LIVES, OWN_ORDER, RECENT_WINDOWS
from serving.recommend.index import Index
from serving.recommend.query_encoder import QueryEncoder
from serving.recommend.ranker import Ranker
from serving.recommend.reasons import explain
from serving.recommend.request import Answer, Query, no_items


@dataclass(frozen=True)
class Ranked:
    """Every candidate of a request, best first, before the surface's rules."""

    items: IntArray
    """(C,)"""
    scores: NDArray[np.float32]
    """(C,)"""
    person: UserProfile
    signals: Signals
    candidates: Candidates


@dataclass(frozen=True)
class Chosen:
    """The list after the rules."""

    items: IntArray
    scores: NDArray[np.float32]
    num_ranked: int
    """How many of the first came from the sources; the rest fill the list with what is popular."""


class Pipeline:
    """A bundle ready to answer. Nothing in it changes, so threads may share it."""

    def __init__(self, bundle: Bundle, *, encoder: Encoder, index: Index, ranker: Ranker | None) -> None:
        self.bundle = bundle
        self._index, self._ranker = index, ranker
        self._query_encoder = QueryEncoder(
            encoder,
            item_vectors=bundle.item_vectors,
            item_categories=bundle.tables.category,
            num_user_attributes=bundle.num_user_attributes,
            settings=bundle.settings,
        )
        self._profile_event_types = np.array(
            [EVENT_TYPE_CODE[kind] for kind in bundle.settings.profile_event_types], np.int8
        )
        self._num_never_shown = int(np.count_nonzero(~bundle.recommendable))
        order = np.argsort(-np.asarray(bundle.tables.popularity), kind="stable")
        was_bought = bundle.recommendable & bundle.tables.known
        self._by_popularity = order[was_bought[order]].astype(np.int32)

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read and verify a bundle folder; raises ArtefactError."""
        bundle = Bundle.open(folder)
        ranker_path = folder / "ranker.onnx"
        return cls(
            bundle,
            encoder=Encoder(folder / "user_encoder.onnx"),
            index=Index.load(folder / "items.faiss"),
            ranker=Ranker(ranker_path, features=bundle.manifest["features"])
            if ranker_path.is_file()
            else None,
        )

    def recommend(self, query: Query) -> Answer:
        """The list of one surface: ranked, filtered by its rules, filled up where it is short, each item with
        its reasons."""
        ranked = self.rank(query)
        chosen = self.choose(query, ranked)
        recommendations = explain(chosen, ranked=ranked, bundle=self.bundle)
        return Answer(recommendations, query.num_results, *self._remarks(query, chosen))

    def choose(self, query: Query, ranked: Ranked) -> Chosen:
        """Apply the surface's rules to ranked candidates, and fill a short list with what is popular."""
        surface = self.bundle.surfaces[query.surface]
        barred = self._barred(query, ranked.person, surface)
        order = self._ordered(query, ranked, surface)
        order = order[~barred[ranked.items[order]]][: query.num_results]
        items, scores = ranked.items[order], ranked.scores[order]
        missing = query.num_results - len(items)
        if missing and surface.fallback == "popular":
            barred[items] = True
            enough = self._by_popularity[: missing + np.count_nonzero(barred) - self._num_never_shown]
            filling = enough[~barred[enough]][:missing]
            return Chosen(
                items=np.concatenate([items, filling]),
                scores=np.concatenate([scores, np.full(len(filling), scores.min(initial=0.0), np.float32)]),
                num_ranked=len(items),
            )
        return Chosen(items=items, scores=scores, num_ranked=len(items))

    def rank(self, query: Query) -> Ranked:
        """Score every candidate of the surface's sources, best first; no rule is applied.

        With nothing to go by, the score is popularity alone.
        """
        candidates, person, signals = self.candidates(query)
        is_stranger = not len(query.history) and not len(query.page_items)
        scores = candidates.feature("popularity") if is_stranger else self._score(candidates)
        order = np.argsort(-scores, kind="stable")
        ordered = Candidates(candidates.items[order], candidates.features[order], candidates.proposed_by)
        return Ranked(
            items=ordered.items, scores=scores[order], person=person, signals=signals, candidates=ordered
        )

    def candidates(
        self, query: Query, *, known: tuple[UserProfile, Signals] | None = None
    ) -> tuple[Candidates, UserProfile, Signals]:
        """What the surface's sources propose, with features: what the ranker is trained on and served with.

        `known` is what an earlier call said of the same history at the same moment, so that only the page is
        looked at anew.
        """
        bundle, settings = self.bundle, self.bundle.settings.candidates
        person, signals = known or self._know(query)
        signals = self._with_context(signals, person=person, page_items=query.page_items)
        repeats = np.argsort(-person.own.decayed[:, OWN_ORDER], kind="stable")[: settings.repeat_candidates]
        together = [
            found.best(settings.together_candidates)
            for found in (signals.context, signals.together, signals.following)
        ]
        proposed = {
            "repeats": person.own.items[repeats],
            "together": np.concatenate(together),
            "people": signals.people.best(settings.people_candidates),
            "encoder": signals.nearest,
            "popular": self._by_popularity[: settings.popular_candidates],
        }
        wanted: dict[str, IntArray] = {
            name: proposed[name] for name in bundle.surfaces[query.surface].sources
        }
        items = distinct(np.concatenate(list(wanted.values()))).astype(np.int32)
        items = items[bundle.recommendable[items]]
        features = describe_candidates(
            items,
            person=person,
            signals=signals,
            tables=bundle.tables,
            item_vectors=bundle.item_vectors,
            as_of=query.as_of,
            has_times=bundle.settings.has_times,
        )
        return Candidates(items=items, features=features, proposed_by=wanted), person, signals

    def query_vector(self, query: Query) -> NDArray[np.float32] | None:
        """The encoder's answer to a history, (D,); None where nothing of it is an input."""
        return self._query_encoder.of(query)

    def nearest(self, query_vector: NDArray[np.float32] | None, *, num_items: int) -> IntArray:
        """The items nearest to a query vector, best first."""
        return (
            np.empty(0, np.int32)
            if query_vector is None
            else self._index.search(query_vector, num_items=num_items)[0]
        )

    def most_popular(self, num_items: int) -> IntArray:
        """What sold most in the recent window and can be bought."""
        return self._by_popularity[:num_items]

    def _know(self, query: Query) -> tuple[UserProfile, Signals]:
        """What the history says by itself: all but the context."""
        tables, settings = self.bundle.tables, self.bundle.settings.candidates
        person = build_user_profile(
            query.history,
            as_of=query.as_of,
            targets=self.bundle.settings.history.targets,
            item_categories=tables.category,
            item_parents=tables.parent,
            half_lives=HALF_LIVES,
            recent_days=[share * settings.popularity_days for share in RECENT_WINDOWS],
            num_recent=settings.together_history,
            profile_event_types=self._profile_event_types,
            has_times=self.bundle.settings.has_times,
        )
        vector = self._query_encoder.of(query, features=person.features)
        signals = Signals(
            together=sum_neighbours(tables.in_baskets, person.recent_items),
            following=sum_neighbours(tables.in_next_baskets, person.recent_items),
            people=Scores(*people_scores(tables.people, person.own.items, person.own.num_events)),
            context=Scores.none(),
            context_items=no_items(),
            query_vector=vector,
            nearest=self.nearest(vector, num_items=settings.encoder_candidates),
        )
        return person, signals

    def _with_context(self, signals: Signals, *, person: UserProfile, page_items: IntArray) -> Signals:
        """The same with what is on the page, in the cart, or was just looked at."""
        items = np.concatenate([page_items, person.cart_items, person.visit_items])
        items = items[np.sort(np.unique(items, return_index=True)[1])].astype(np.int32)
        return replace(
            signals, context=sum_neighbours(self.bundle.tables.in_baskets, items), context_items=items
        )

    def _score(self, candidates: Candidates) -> NDArray[np.float32]:
        if self._ranker is None:
            raise AssertionError("this bundle was made to fit a ranker with and has none yet")
        return self._ranker.scores(candidates.features)

    def _ordered(self, query: Query, ranked: Ranked, surface: SurfaceConfig) -> NDArray[np.intp]:
        if surface.order_by == "ranker" or not len(query.page_items):
            return np.arange(len(ranked.items))
        goes_with_page = sum_neighbours(self.bundle.tables.in_baskets, query.page_items).at(ranked.items)
        return np.argsort(-goes_with_page, kind="stable")

    def _barred(self, query: Query, person: UserProfile, surface: SurfaceConfig) -> NDArray[np.bool_]:
        barred = ~self.bundle.recommendable
        barred[query.exclude] = True
        if surface.exclude_page_items:
            barred[query.page_items] = True
        if surface.exclude_cart:
            barred[person.cart_items] = True
        return barred

    def _remarks(self, query: Query, chosen: Chosen) -> tuple[str | None, str | None]:
        """(why the list is short, what filled it or why it is not personal), each None where there is nothing
        to say."""
        is_stranger = not len(query.history) and not len(query.page_items)
        shortfall, fallback = None, None
        if len(chosen.items) < query.num_results:
            if self.bundle.surfaces[query.surface].fallback == "popular":
                shortfall = "the catalogue has no more items that may be shown"
            else:
                shortfall = (
                    "nothing is known of this person yet"
                    if is_stranger
                    else "the surface's sources have no more items"
                )
        if is_stranger and len(chosen.items):
            fallback = "popular: nothing is known of this person yet"
        elif chosen.num_ranked < len(chosen.items):
            fallback = f"popular: the last {len(chosen.items) - chosen.num_ranked} of the list, since the sources gave too few"
        return shortfall, fallback
