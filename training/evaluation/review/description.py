"""A run's description in MLflow: the headline, the verdicts and where to look next, in Markdown."""

from __future__ import annotations

from training.evaluation.review.gather import Review
from training.evaluation.review.page import conclusion
from training.evaluation.review.words import interval, signed, system_name


def description(review: Review) -> str:
    """Markdown for `mlflow.note.content`. It holds no shop text, only names of systems and settings."""
    users = review.summary["users"]
    lines = [
        f"capped recall@{review.k}: {interval(review.headline)} over {users['all']:,} users",
        "",
        *(f"- {sentence}" for sentence in conclusion(review)),
        "",
        "| the pipeline minus | difference (95 %) | |",
        "|---|---|---|",
        *(f"| {system_name(row.over)} | {signed(row)} | {row.verdict} |" for row in review.over_sources),
    ]
    if review.champion and review.champion.differences:
        total = review.champion.differences[0]
        lines.append(f"| champion {review.champion.champion} | {signed(total)} | {total.verdict} |")
        changed = ", ".join(f"`{one.name}`: {one.before} → {one.now}" for one in review.champion.settings[:8])
        lines += ["", f"Settings that differ from the champion's: {changed or 'none'}."]
    data = review.data
    if data:
        lines += [
            "",
            f"Data: {data['num_item_events']:,} item events, {data['num_users']:,} users, "
            f"{data['num_items']:,} items.",
        ]
    lines += ["", "Next, under *Artifacts*: `review/review.html`, then `review/users.html`."]
    return "\n".join(lines) + "\n"
