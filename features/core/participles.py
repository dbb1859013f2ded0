"""What an event did to its item, in a word for people: `purchase` → `bought`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from features.core.columns import EVENT_TYPE_CODE, EVENT_TYPES, UNDOES

PARTICIPLES: Final = {
    "purchase": "bought",
    "review": "reviewed",
    "add_to_cart": "put into the cart",
    "add_to_wishlist": "saved",
    "select_item": "viewed",
    "view_item": "viewed",
    "refund": "returned",
    "remove_from_cart": "taken out of the cart",
}
"""Each of `ITEM_EVENT_TYPES` → what it did to the item; what says most stands first."""

_PLACE_OF_WORD: Final = {word: place for place, word in enumerate(dict.fromkeys(PARTICIPLES.values()))}
PLACE: Final = np.full(256, len(_PLACE_OF_WORD))
"""(256,) event type code → the place of its participle; the lowest says most"""
for _name, _word in PARTICIPLES.items():
    PLACE[EVENT_TYPE_CODE[_name]] = _PLACE_OF_WORD[_word]


def participles(event_types: Iterable[str], *, word: str) -> str:
    """The distinct participles, the one that says most last, joined by `word`: `viewed or bought`.

    What undoes something (a refund, a removal) is named only where there is nothing else. Of more than two,
    `and` joins the first and the last, which is shorter and no less true.
    """
    found = set(event_types) & set(PARTICIPLES)
    words = {PARTICIPLES[name] for name in found - set(UNDOES) or found}
    named = sorted(words, key=lambda one: -_PLACE_OF_WORD[one])
    if word == "and":
        named = [*named[:-1][:1], *named[-1:]]
    return f" {word} ".join(filter(None, [", ".join(named[:-1]), *named[-1:]]))


def participles_of_codes(codes: Iterable[int], *, word: str) -> str:
    """`participles` of event type codes."""
    return participles((EVENT_TYPES[code] for code in set(codes)), word=word)
