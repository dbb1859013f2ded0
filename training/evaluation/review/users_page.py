"""`users.html`: twenty users' histories with their lists, by product name. Users are known by their index
alone."""

from __future__ import annotations

from training.evaluation.review import html
from training.evaluation.review.examples import Example, Past
from training.evaluation.review.html import Html


def users_page(name: str, examples: list[Example], *, num_users: int) -> str:
    """The document for the run `name`; the examples were drawn from `num_users`."""
    links = [Html(f'<a href="#user-{example.user}">{example.user}</a>') for example in examples]
    return html.page(
        f"Twenty users of {name}",
        html.tag("h1", f"What {len(examples)} users were shown, and what they took"),
        html.paragraph(
            f"Run {name}. Drawn by seed from the {num_users:,} users of the table, as many with short "
            "histories as with "
            "long ones. A number stands for a user in this data set alone; it is no id of the shop. Green "
            "rows are hits: the "
            "user took the item in the window after the split point."
        ),
        html.tag("nav", "Users: ", *links),
        *(_user(example) for example in examples),
    )


def _user(example: Example) -> Html:
    hits = [place for place, shown in enumerate(example.places) if shown.taken]
    shown = [
        (place, one.title, one.source, one.reason, "yes" if one.own else "", "taken" if one.taken else "")
        for place, one in enumerate(example.places, start=1)
    ]
    past = [(one.title, one.kind.replace("_", " "), _ago(one)) for one in example.past]
    taken = [
        (one.title, "yes" if one.own else "", "" if one.rank is None else one.rank) for one in example.taken
    ]
    more = example.num_taken - len(example.taken)
    found = sum(one.taken for one in example.places)
    return html.section(
        f"user-{example.user}",
        f"User {example.user}",
        html.paragraph(
            f"{example.num_events:,} events before the split point (band: {example.band}). Took "
            f"{example.num_taken:,} different items "
            f"after it; {found} of the {len(example.places)} in the list are among them.",
        ),
        html.tag("h3", "The list"),
        html.table(("", "product", "source", "because", "had it before", ""), shown, numbers=(0,), hits=hits),
        html.columns(
            html.join(
                html.tag("h3", f"Latest of the history ({len(past)} of {example.num_events:,})"),
                html.table(("product", "what", "days before"), past, numbers=(2,)),
            ),
            html.join(
                html.tag("h3", "What they then took"),
                html.table(("product", "had it before", "place in the list"), taken, numbers=(2,),
                           hits=[place for place, one in enumerate(example.taken) if one.rank]),
                html.paragraph(f"and {more:,} more", css="dim") if more > 0 else Html(""),
            ),
        ),
    )  # fmt: skip


def _ago(one: Past) -> str:
    return "–" if one.days_ago is None else f"{one.days_ago:.1f}"
