"""What the figures of a run mean, in sentences: for the page and for MLflow's description."""

from __future__ import annotations

from training.evaluation.review.formatting import signed
from training.evaluation.review.gather import Review
from training.evaluation.systems import system_label


def conclusion(review: Review) -> list[str]:
    """Sentences in Markdown: against the retrievers, against the champion, and what the export decided."""
    return [_against_retrievers(review), *_against_champion(review), _export(review)]


def _against_retrievers(review: Review) -> str:
    closest = review.over_retrievers[0]
    label = system_label(closest.over)
    match closest.verdict:
        case "better":
            return "The pipeline is clearly better than every retriever alone."
        case "worse":
            return f"A retriever alone is clearly better: {label}. This run should not be served."
        case _:
            return f"The pipeline is not clearly better than {label} alone."


def _against_champion(review: Review) -> list[str]:
    champion = review.champion
    if champion is not None and champion.total is not None:
        compared = (
            f"Against the champion {champion.champion}, on the same users: {signed(champion.total)}, "
            f"{champion.total.verdict}."
        )
        refitted = "The champion's settings were first fitted again on this run's data."
        return [compared, refitted] if champion.was_refitted else [compared]
    if review.exported is None:
        return [
            "It was not compared with a champion: there is none, or it was trained on other data and "
            "`shopkeeper export` will fit its settings again."
        ]
    return []


def _export(review: Review) -> str:
    if review.exported is None:
        return "It was not exported yet: `shopkeeper export` writes its bundle and applies the gate."
    champion = " and became the champion" if review.exported.is_champion else ""
    return f"It was exported{champion} ({review.exported.why})."
