"""One line of the server's log for each list with drawn items: what off-policy evaluation joins events to."""

from __future__ import annotations

import logging

from serving.http.schemas import RecommendResponse

logger = logging.getLogger("shopkeeper.exploration")


def log_exploration(found: RecommendResponse, *, surface: str, seed: int) -> None:
    """Log the propensities of a list; nothing where nothing was drawn. No id of a user is in the line."""
    drawn = [
        {"item_id": one.item_id, "rank": one.rank, "propensity": one.propensity}
        for one in found.items
        if one.propensity is not None
    ]
    if drawn:
        fields = {
            "recommendation_id": found.recommendation_id,
            "bundle_version": found.bundle.version,
            "surface": surface,
            "seed": seed,
            "returned": found.returned,
            "items": drawn,
        }
        logger.info("explored", extra={"fields": fields})
