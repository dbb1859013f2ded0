"""`review.html`: everything a reviewer needs to judge one run, made from the run's folder, readable without
the code."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from training.evaluation.review import html, pictures
from training.evaluation.review.breakdowns import Difference
from training.evaluation.review.gather import Review
from training.evaluation.review.html import Html
from training.evaluation.review.moved import NUM_COMPARED, ItemMoved
from training.evaluation.review.words import (
    HEADLINE_IN_WORDS,
    best_validation,
    interval,
    signed,
    system_name,
    verdict,
)
from training.runs.tracking import flat

BY = {
    "history": ("by history length", "target events of the user before the split point"),
    "popularity": ("by item popularity", "what was taken: a third of all sales each, best sellers first"),
    "repeat / new": ("on repeat and new items", "own items alone, and items the user never had"),
}
FILES = {
    "history": "by_history_length",
    "popularity": "by_item_popularity",
    "repeat / new": "by_repeat_or_new",
}


def draw(review: Review) -> dict[str, bytes]:
    """Name → PNG: the pictures of the page, which MLflow also gets as files."""
    found = {"learning_curves": pictures.learning_curves({review.name: review.curves})}
    against = [(system_name(row.over), row) for row in review.over_sources]
    if review.champion and review.champion.differences:
        against.append((f"champion {review.champion.champion}", review.champion.differences[0]))
        by_part = [(_part_name(row), row) for row in review.champion.differences]
        found["against_champion"] = pictures.forest(
            by_part, title="this run minus the champion, part by part"
        )
    found["against_sources"] = pictures.forest(
        against, title="the pipeline minus each source alone, and minus the champion"
    )
    for by, (title, axis) in BY.items():
        found[FILES[by]] = pictures.parts(review.of(by), title=f"quality {title}", axis=axis)
    index = review.summary["index"]
    found["index_recall_and_speed"] = pictures.index_speed(index["points"], chosen=index["chosen"])
    return found


def page(review: Review, drawn: Mapping[str, bytes]) -> str:
    """The document. `drawn` is what `draw` made."""

    def show(name: str, alt: str) -> Html:
        return html.picture(drawn[name], alt=alt)

    anchors = {"sources": "Against each source", "parts": "Quality in parts", "moved": "Since the champion", "curves": "Training",
               "index": "Index", "data": "Data and settings"}  # fmt: skip
    links = [Html(f'<a href="#{anchor}">{html.text(title)}</a>') for anchor, title in anchors.items()]
    return html.page(
        f"Review of {review.name}",
        html.tag("h1", f"Review of {review.name}"),
        html.tag("nav", *links),
        _headline(review),
        html.section(
            "sources", "The pipeline against each source and the champion", *_against_sources(review, show)
        ),
        html.section("parts", "Quality in parts", *_parts(review, show)),
        html.section("moved", "What moved since the champion", *_moved(review, show)),
        html.section("curves", "Training", *_curves(review, show)),
        html.section("index", "Index: recall against speed", *_index(review, show)),
        html.section("data", "Data and settings", *_data(review)),
    )


Show = Callable[[str, str], Html]


def _headline(review: Review) -> Html:
    mean, low, high = review.headline
    closest = review.over_sources[0]
    users = review.summary["users"]["all"]
    against = review.champion.differences[0] if review.champion and review.champion.differences else None
    window = (
        f"{review.config.split.window_days:g} days" if review.config.split.kind == "window" else "next event"
    )
    found = [
        html.card(f"capped recall@{review.k}", f"{mean:.4f}", f"{low:.4f} to {high:.4f}, {users:,} users"),
        html.card(f"closest source: {system_name(closest.over)}", f"{closest.mean:+.4f}", verdict(closest)),
    ]
    if review.champion and against:
        found.append(
            html.card(
                f"against the champion {review.champion.champion}", f"{against.mean:+.4f}", verdict(against)
            )
        )
    return html.join(
        html.cards(*found),
        html.paragraph(*conclusion(review)),
        html.paragraph(HEADLINE_IN_WORDS.format(k=review.k, window=window), css="dim"),
    )


def conclusion(review: Review) -> list[str]:
    """What the figures say, in sentences."""
    closest = review.over_sources[0]
    said = {
        "better": "The pipeline is clearly better than every source alone: its list is worth more than any "
        "simple rule.",
        "worse": f"A source alone is clearly better: {system_name(closest.over)}. This run should not be "
        "served.",
        "no clear difference": f"The pipeline is not clearly better than {system_name(closest.over)} alone.",
    }
    sentences = [said[closest.verdict]]
    bundle = review.entries.get("bundle", {})
    if review.champion and review.champion.differences:
        total = review.champion.differences[0]
        sentences.append(
            f"Against the champion {review.champion.champion}, on the same users: {signed(total)}, "
            f"{total.verdict}."
            + (
                " The champion's settings were fitted again on this run's data first."
                if review.champion.was_refitted
                else ""
            )
        )
    elif not bundle:
        sentences.append(
            "It was not compared with a champion: there is none, or it knows other data and `export` will "
            "refit it."
        )
    if bundle:
        sentences.append(
            f"It was exported{' and became the champion' if bundle.get('champion') else ''} "
            f"({bundle.get('why')})."
        )
    else:
        sentences.append(
            "It was not exported yet: `shopkeeper export` makes its bundle and lets the gate decide."
        )
    return sentences


def _against_sources(review: Review, show: Show) -> list[Html]:
    rows = [
        (system_name(row.over), signed(row), verdict(row), f"{row.num_users:,}")
        for row in review.over_sources
    ]
    systems = next(row for row in review.breakdowns if row.by == "all").systems
    alone = [
        (system_name(system), interval(values), f"{review.summary['coverage'][system][str(review.k)]:.3f}")
        for system, values in systems.items()
    ]
    return [
        html.paragraph(
            "Each source alone, filled up with what is popular, over the same users. Left and right of the "
            "point: 95 % paired "
            "bootstrap interval. An interval that touches the line says that the difference may be chance."
        ),
        show("against_sources", "the pipeline minus each source and the champion, with intervals"),
        html.table(("the pipeline minus", "difference (95 %)", "", "users"), rows, numbers=(1, 3)),
        html.table(
            ("system", f"capped recall@{review.k} (95 %)", "share of the catalogue shown"),
            alone,
            numbers=(1, 2),
        ),
    ]


def _parts(review: Review, show: Show) -> list[Html]:
    found = []
    for by, (title, axis) in BY.items():
        rows = review.of(by)
        systems = list(rows[0].systems) if rows else []
        cells = [
            (row.name, f"{row.num_users:,}", *(interval(row.systems[system]) for system in systems))
            for row in rows
        ]
        header = (axis.partition(":")[0], "users", *map(system_name, systems))
        found += [
            html.tag("h3", title[0].upper() + title[1:]),
            show(FILES[by], f"capped recall {title}, every system, with intervals"),
            html.folded("the figures", html.table(header, cells, numbers=range(1, len(header)))),
        ]
    found.append(
        html.paragraph(
            "Head, middle and tail each hold a third of all sales before the split point; what was never "
            "sold before has "
            "no sales to go by, only what is known of the item itself. Repeat: list and truth are the "
            "user's own items alone; "
            "new: both without them.",
            css="dim",
        )
    )
    return found


def _moved(review: Review, show: Show) -> list[Html]:
    moved = review.champion
    if moved is None:
        return [
            html.paragraph(
                "There is nothing to compare with: no champion yet, this run is the champion, or the "
                "champion was asked another "
                "question (other data, window, targets or evaluation) or is of another version. `shopkeeper "
                "export` fits the "
                "settings of a champion of this version on the present data and fills this section in."
            )
        ]
    rows = [(_part_name(row), f"{row.num_users:,}", signed(row), verdict(row)) for row in moved.differences]
    settings = [(one.name, _setting(one.before), _setting(one.now)) for one in moved.settings]
    return [
        html.paragraph(
            f"The champion is {moved.champion}. Its figures are over the same users, so differences are "
            "paired."
        ),
        show("against_champion", "this run minus the champion on every part of the table"),
        html.table(("part", "users", "difference (95 %)", ""), rows, numbers=(1, 2)),
        html.tag("h3", f"Settings that differ ({len(settings)})"),
        html.table(("setting", "champion", "this run"), settings) if settings else html.paragraph("None."),
        html.tag("h3", f"Among the {NUM_COMPARED} items that stand in most lists"),
        html.columns(_items("Entered", moved.entered), _items("Left", moved.left)),
    ]


def _part_name(row: Difference) -> str:
    return f"{row.by}: {row.name}" if row.by in ("history", "popularity") else row.name


def _setting(value: object) -> str:
    return "not there" if value is None else str(value)


def _items(title: str, moved: list[ItemMoved]) -> Html:
    if not moved:
        return html.paragraph(f"{title}: none.")
    return html.table(
        (f"{title}: {len(moved)}", "users shown to"),
        [(one.title, f"{one.num_users:,}") for one in moved],
        numbers=(1,),
    )


def _curves(review: Review, show: Show) -> list[Html]:
    fits = review.entries.get("fits", {})
    rows = [
        (name, fit.get("epochs", "–"), f"{fit.get('seconds', 0):,.0f}", f"{fit.get('interactions_per_second', 0):,.0f}",
         best_validation(fit))
        for name, fit in fits.items()
    ]  # fmt: skip
    header = (
        "encoder before the split point",
        "epochs",
        "seconds",
        "interactions a second",
        "best in validation",
    )
    return [
        html.paragraph(
            "The encoder is fitted before the validation window and stopped by how it does there, then "
            "carried on over each "
            "later window. The loss should fall and the recall rise; a recall that still rises at the end "
            "asks for more epochs."
        ),
        show("learning_curves", "loss, validation recall and interactions a second, by epoch"),
        html.table(header, rows, numbers=(1, 2, 3, 4)),
    ]


def _index(review: Review, show: Show) -> list[Html]:
    index = review.summary["index"]
    rows = [(point["kind"], f"{point['recall_100']:.4f}", f"{point['milliseconds']:.3f}",
             "chosen" if point["kind"] == index["chosen"] else "") for point in index["points"]]  # fmt: skip
    least = review.config.export.min_index_recall
    return [
        html.paragraph(
            "Measured on this run's item vectors (20,000 at most, where exact search serves) with real "
            "histories, one query at "
            "a time on one thread. Exact search finds everything; another index is taken only above "
            f"{review.config.export.exact_below:,} items, when it finds at least "
            f"{least:g} of it faster."
        ),
        show("index_recall_and_speed", "recall of the index against milliseconds a query"),
        html.table(("search", "recall@100", "milliseconds", ""), rows, numbers=(1, 2)),
    ]


def _data(review: Review) -> list[Html]:
    made_on = [
        (name, review.entries.get(name))
        for name in ("dataset", "commit", "seed", "cpu", "cores", "gpu", "torch")
    ]
    facts = [(name, "–" if value is None else value) for name, value in made_on]
    shown = review.config.model_dump(
        mode="json", exclude={"workspace", "tracking"}
    )  # a tracking URI may hold a login
    settings = list(flat(shown).items())
    return [
        html.table(("", ""), facts),
        html.folded("what `prepare` said of the data", html.table(("", ""), _facts(review.data)))
        if review.data
        else Html(""),
        html.folded("every setting but those of tracking", html.table(("setting", "value"), settings)),
    ]


def _facts(data: Mapping[str, object]) -> list[tuple[str, str]]:
    """The report of `prepare`, lists as their lengths: what they list may be people."""
    shown = {
        name: len(value) if isinstance(value, list) else value for name, value in flat(dict(data)).items()
    }
    return [
        (name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
        for name, value in shown.items()
    ]
