"""A replica carries out what other processes put into the live catalogue, requests or not."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from configs.exceptions import ServingError
from serving.http.service import Service

logger = logging.getLogger("shopkeeper.items")

FOLLOW_SECONDS: Final = 0.25
"""How often a replica looks. What is sold out or deleted is out of its lists at the next request anyway."""


async def follow_items(service: Service) -> None:
    """Look again and again, until the task is cancelled. What the first new item needs is made when a bundle
    has come."""
    has_failed, described = False, None
    while True:
        try:
            if service.live is not described:
                described = service.live
                await asyncio.to_thread(lambda live: live.new_items, described)
            await service.follow_items()
            has_failed = False
        except (ServingError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            if not has_failed:  # once, and not four times a second
                logger.error("the live catalogue cannot be followed: %s", error, exc_info=True)
            has_failed = True
        await asyncio.sleep(FOLLOW_SECONDS)
