"""What the retrievers give for one user, each asked once, when somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from features.retriever import Retriever, ScoredItems


class Retrieved(Mapping[str, ScoredItems]):
    """Retriever → what it gives for the user.

    The general ones are asked at once, since every list reads them; one that answers a question of its own
    is asked by the surface that names it.
    """

    def __init__(self, retrievers: Mapping[str, Retriever], ask: Callable[[Retriever], ScoredItems]) -> None:
        self._retrievers, self._ask = retrievers, ask
        self.asked = {name: ask(one) for name, one in retrievers.items() if one.is_general}
        """What was asked so far"""

    def __getitem__(self, name: str) -> ScoredItems:
        found = self.asked.get(name)
        if found is None:
            found = self.asked[name] = self._ask(self._retrievers[name])
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._retrievers)

    def __len__(self) -> int:
        return len(self._retrievers)
