"""Time of one list by stage, in this process: where the milliseconds of a cold request go."""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from serving.http.schemas import RecommendRequest, RecommendResponse
from serving.http.service import Service
from serving.recommend.candidates import KnownUser
from serving.recommend.feature_group import CandidateContext
from serving.recommend.first_pass import first_pass
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query
from serving.recommend.retrieved import Retrieved
from serving.state.store import EventStore

Result = TypeVar("Result")

NUM_USERS = 400
HOUR = 3_600_000_000


def stage_milliseconds(bundle_folder: Path, store_file: Path, *, users: Sequence[str]) -> dict[str, float]:
    """Stage → milliseconds a list, over `users` (three times `NUM_USERS`) whom the process does not know."""
    pipeline = Pipeline.load(bundle_folder)
    bundle = pipeline.bundle
    now = bundle.as_of + HOUR
    spent: dict[str, float] = defaultdict(float)

    def timed(stage: str, work: Callable[[], Result]) -> Result:
        started = time.perf_counter()
        found = work()
        spent[stage] += time.perf_counter() - started
        return found

    with EventStore.open(store_file) as store:
        service = Service(pipeline, store, max_events_kept=5_000, clock=lambda: now)
        service.warm_up()
        gc.freeze()  # as a replica does
        limit = bundle.settings.retrievers.max_candidates
        for user in users[:NUM_USERS]:
            service.recommend(RecommendRequest(user_id=user))
        for user in users[NUM_USERS : 2 * NUM_USERS]:
            history = timed("history", lambda: service.queries.history(user))  # noqa: B023
            query = Query(history=history, as_of=now, user=user)
            context = timed("user profile", lambda: pipeline.context(query))  # noqa: B023
            retrieved = Retrieved(
                bundle.retrievers,
                lambda one: timed(f"retriever {one.name}", lambda: one.for_user(context)),  # noqa: B023
            )
            known = KnownUser(context, retrieved)
            retrievals = timed("candidates", lambda: pipeline.retrieve(query, known))  # noqa: B023
            proposed = [one.proposed for one in retrievals.values()]
            items = timed("first pass", lambda: first_pass(proposed, limit=limit))  # noqa: B023
            found = timed(
                "ranker columns",
                lambda: pipeline.columns.compute(
                    items,  # noqa: B023
                    retrievals=retrievals,  # noqa: B023
                    context=CandidateContext(context.profile, bundle.ranked_profiles, now),  # noqa: B023
                    has_times=bundle.settings.has_times,
                ),
            )
            assert bundle.ranker is not None
            timed("ranker", lambda: bundle.ranker.scores(found))  # type: ignore[union-attr]  # noqa: B023
            ranked = pipeline.rank(query, known=known)
            timed("filters, list, reasons", lambda: pipeline.recommend(query, ranked=ranked))  # noqa: B023
        serialize = TypeAdapter(RecommendResponse).dump_json
        for user in users[2 * NUM_USERS :]:
            started = time.perf_counter()
            response = service.recommend(RecommendRequest.model_validate_json(f'{{"user_id": "{user}"}}'))
            spent["whole list, from body to object"] += time.perf_counter() - started
            timed("JSON of the answer", lambda: serialize(response))  # noqa: B023
    return {stage: round(1000 * seconds / NUM_USERS, 3) for stage, seconds in spent.items()}
