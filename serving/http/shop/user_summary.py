"""What a user's events say, in a few numbers: the profile that lists are made of."""

from __future__ import annotations

import math

import numpy as np

from features.core.columns import PRODUCT_TYPE
from features.customers.life_stage import life_stage_of
from features.customers.purchase_cycle import DEFAULT_CYCLE_DAYS, SHOP_CYCLE
from serving.http.service import Service
from serving.http.shop.iso_time import iso_time
from serving.http.shop.schemas import MAX_CATEGORIES, CategoryShare, UserSummary
from serving.recommend.request import Query


def user_summary(service: Service, key: str | None) -> UserSummary:
    """The profile of the user with this key, as of now; None: of somebody without events."""
    bundle, now = service.pipeline.bundle, service.now()
    query = Query(history=service.queries.history(key), as_of=now + 1, user=key)
    profile = service.pipeline.context(query).profile
    latest = profile.target_times.max(initial=-1)
    has_times = bundle.settings.has_times
    largest = np.argsort(-profile.category_shares, kind="stable")[:MAX_CATEGORIES]
    shares = [(int(profile.categories[place]), float(profile.category_shares[place])) for place in largest]
    return UserSummary(
        num_targets=len(profile.target_items),
        num_items=len(profile.own.codes),
        num_baskets=profile.num_baskets,
        latest=iso_time(int(latest)) if latest >= 0 and has_times else None,
        typical_price=None if math.isnan(profile.log_price_mean) else math.exp(profile.log_price_mean),
        categories=[CategoryShare(_category(service, code), share) for code, share in shares],
        cart_item_ids=[bundle.item_ids[item] for item in profile.cart_items.tolist()],
        life_stage=life_stage_of(
            query.history,
            as_of=query.as_of,
            shop_cycle=float(bundle.manifest.get(SHOP_CYCLE, DEFAULT_CYCLE_DAYS)),
            rules=service.customers,
        )
        if has_times
        else None,
    )


def _category(service: Service, code: int) -> str:
    """The path of a category, as its first item has it."""
    bundle = service.pipeline.bundle
    first = int(np.argmax(np.asarray(bundle.item_profiles.category) == code))
    return str(service.catalogue.fields(first, [PRODUCT_TYPE])[PRODUCT_TYPE])
