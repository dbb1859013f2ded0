"""Halves of surrogate pairs in JSON: `"\\ud83d"` alone, where a program cut a text in the middle of an emoji.

JSON's grammar allows them, but no text can hold them: parsers stop, or give strings that cannot be written.
"""

from __future__ import annotations

import re
from typing import Final

_HIGH, _LOW = r"[dD][89abAB][0-9a-fA-F]{2}", r"[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE: Final = re.compile(rf"\\(?:u{_HIGH}\\u{_LOW}|(u{_HIGH}|u{_LOW})|.)", re.DOTALL)
"""Any escape, so that a backslash that is itself escaped begins none; group 1 is half a pair."""
_MAYBE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def replace_lone_surrogates(json_text: str) -> str:
    """JSON with `\\ufffd` (the replacement character) in place of each escape of half a surrogate pair."""
    if not _MAYBE.search(json_text):
        return json_text
    return _ESCAPE.sub(lambda escape: r"\ufffd" if escape[1] else escape[0], json_text)
