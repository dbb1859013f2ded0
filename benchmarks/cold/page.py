"""docs/benchmarks-cold.md: from the kept results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from benchmarks.cold.entrants import BASELINES, LABELS, OF_NEW_USERS, WITHOUT_CONTENT

TARGET: Final = 0.6
WARM_AMONG_ALL: Final = "warm among all: without content"
NAMES: Final = {"beauty": "Amazon Beauty", "complete-journey": "Complete Journey"}
_RANKINGS: Final = {
    "cold": "cold among cold",
    "cold_among_all": "cold among all",
    "warm": "warm among warm",
    "warm_among_all": "warm among all",
    "warm_as_many": "warm among as many",
    "warm_with_seen": "warm, seen ones included",
}
_HEAD: Final = f"""# Cold items and new users

Made from `docs/results` by `make benchmark-cold`.

A time split on the items' first appearance: the newest tenth of the items, by first event, is **cold**. The
split is the first event of the oldest cold item. Everything is fitted on the events before it, so on no event
of a cold item. Tested is everyone with a history before the split and an event after it, with the history as
it was at the split. Items of that history are in neither lists nor targets, since a cold item is new to
everybody. Lots decide among equal scores.

- **cold among cold**: events on cold items after the split, ranked among the cold items.
- **warm among warm**: events on warm items in the same window, ranked among the warm items.
- **warm among as many**: the same for warm items drawn by lot, as many as there are cold ones.
- **among all**: cold and warm items in one list.

The target: the recall@20 of cold items is at least {TARGET:.0%} of that of warm items, for the same system,
which must not lose on warm items against the same encoder without content, neither among warm items nor among
all: no interval of the difference is wholly below zero. A tenth of the items is cold, and among few a hit is
easy: by chance alone, recall among the cold items is nine times that among the warm ones. So the target is
about **cold among cold by warm among as many**, where chance has 100 %. The two other ratios stand beside it.

Generative retrieval gives each item a semantic id: residual k-means (three levels of 128 codes, fitted on
warm items) over its vector in the better tower (that of the two which did better on the window before the
split) and its TF-IDF factors, and a last code for items that collide. A cold item has the vector of its
content neighbours. A small decoder over the tower's query and the mean content of the history, both frozen,
is trained to write the next item's id code by code, as in TIGER (arXiv:2305.05065); a beam of 50 follows
only prefixes under which an allowed item lies. Re-ranked: what was written and all cold items, by the
tower's dot product, as in LIGER (arXiv:2411.18814).

In brackets: the 95 % bootstrap interval over users, paired for ratios and differences. Figures are means over
seeds.
"""


def cold_page(results: Sequence[Mapping[str, Any]]) -> str:
    """The whole page."""
    lines = [_HEAD]
    for result in results:
        lines += _data_set(result)
    return "\n".join(lines)


def verdict(result: Mapping[str, Any], name: str) -> str:
    """Whether a system reaches the target: the ratio, and no loss on warm items, neither among themselves nor
    with the cold ones in the list."""
    entrant = result["entrants"][name]
    if entrant["ratio"]["as_many"][0] < TARGET:
        return "not reached"
    highs = [entrant["against"][one][2] for one in ("warm: without content", WARM_AMONG_ALL)]
    return "**reached**" if min(highs) >= 0 else "not reached: loses on warm items"


def verdict_lines(result: Mapping[str, Any]) -> list[str]:
    """A line for every system with vectors of cold items."""
    lines = []
    for name in LABELS:
        if name in result["entrants"] and name not in (*BASELINES, WITHOUT_CONTENT):
            ratio = result["entrants"][name]["ratio"]["as_many"][0]
            told = verdict(result, name).replace("*", "")
            lines.append(
                f"{NAMES[result['data']]}: {LABELS[name]}: {ratio:.0%} (target {TARGET:.0%}): {told}"
            )
    return lines


def _data_set(result: Mapping[str, Any]) -> list[str]:
    split, found = result["split"], result["entrants"]
    named = [name for name in LABELS if name in found]
    shown = [ranking for ranking in _RANKINGS if ranking in found[named[0]]["rankings"]]
    commit = f"{str(result['commit'])[:10]}{' with changes' if result['uncommitted_changes'] else ''}"
    users = split["users"]
    return [
        f"## {NAMES[result['data']]}",
        "",
        f"Split on {split['moment']}, data until {split['end']}: {split['events_before']:,} events before, "
        f"{split['events_after']:,} after, {split['events_on_cold']:,} of them on "
        f"{split['cold_items']:,} cold items; {split['warm_items']:,} warm items. "
        f"{users['cold']:,} users have an event on a cold item to predict, {users['warm']:,} on a warm "
        f"one. {_training(result)} Seeds {', '.join(map(str, result['seeds']))}; commit {commit}, "
        f"{result['cores']} cores ({result['cpu']}).",
        "",
        "```console",
        f"$ {result['command']}",
        "```",
        "",
        "Recall@20 / NDCG@10:",
        "",
        f"| | {' | '.join(_RANKINGS[ranking] for ranking in shown)} |",
        f"|---|{'---|' * len(shown)}",
        *(
            f"| {LABELS[name]} | {' | '.join(_pair(found[name], ranking) for ranking in shown)} |"
            for name in named
        ),
        "",
        f"Recall@20 of cold items by that of warm ones (the target is {TARGET:.0%} of the first), and "
        "differences of recall@20:",
        "",
        "| | by warm among as many | both among all | each among its own | cold, against content neighbours "
        "| warm, against no content "
        "| warm among all, against no content | target |",
        "|---|---|---|---|---|---|---|---|",
        *(_ratios(result, name) for name in named if name != WITHOUT_CONTENT),
        "",
        *_brought(result),
        *_new_users(result["new_users"]),
    ]


def _training(result: Mapping[str, Any]) -> str:
    training = yaml.safe_load(result["config"])["training"]
    most, more = training["max_epochs"], training["refit_epochs"]
    return f"Epochs of each encoder: {most} at most before the validation window, {more} more with it."


def _brought(result: Mapping[str, Any]) -> list[str]:
    if not result.get("brought"):
        return []
    others = ", ".join(f"“{_full_label(name)}”" for name in result["brought_beside"])
    heads = ["", "", "places", "its recall", "of its hits, in no other list", "recall of the others"]
    heads += ["of the others, longer", "of all", "gain"]
    return [
        "What one more list brings, cold and warm items in one list (a beam of 300), beside these: "
        f"{others}. One more list always finds something, so its gain is over the others with as many places "
        "in all:",
        "",
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(
            _brought_row(_full_label(name), kind, one)
            for name, found in result["brought"].items()
            for kind, one in found.items()
        ),
        "",
    ]


def _full_label(name: str) -> str:
    """Where a label says `that tower`, with the tower's own."""
    tower = LABELS.get(name.removesuffix("_neighbours"), "")
    return LABELS[name].replace("that tower", tower)


def _brought_row(label: str, kind_and_depth: str, one: Mapping[str, Any]) -> str:
    kind, depth = kind_and_depth.split("_")
    share, low, high = one["alone"]
    gain = " to ".join(_signed(bound) for bound in one["gain"][1:])
    cells = [
        label,
        f"{kind} items",
        depth,
        _interval(one["found"]),
        f"{share:.0%} ({low:.0%} to {high:.0%})",
        *(_figure(one[lists][0]) for lists in ("others", "longer", "with")),
        f"{_signed(one['gain'][0])} ({gain})",
    ]
    return f"| {' | '.join(cells)} |"


def _pair(entrant: Mapping[str, Any], ranking: str) -> str:
    """`.1277 (.1190 to .1360) / .0601`; a dash where a system shows none."""
    metrics = entrant["rankings"][ranking]
    mean, low, high = metrics["recall_20"]
    if mean == 0.0:
        return "–"
    return f"{_figure(mean)} ({_figure(low)} to {_figure(high)}) / {_figure(metrics['ndcg_10'][0])}"


def _ratios(result: Mapping[str, Any], name: str) -> str:
    entrant = result["entrants"][name]
    ratios = [f"{mean:.0%} ({low:.0%} to {high:.0%})" for mean, low, high in entrant["ratio"].values()]
    differences = [
        "–"
        if not any(interval)
        else f"{_signed(interval[0])} ({_signed(interval[1])} to {_signed(interval[2])})"
        for interval in entrant["against"].values()
    ]
    reached = "" if name in BASELINES else verdict(result, name)
    return f"| {' | '.join([LABELS[name], *ratios, *differences, reached])} |"


def _new_users(found: Mapping[str, Any]) -> list[str]:
    if not found["users"]:
        return ["Nobody is new after the split here.", ""]
    labels = LABELS | {OF_NEW_USERS[0]: "popularity"}
    return [
        f"{found['users']:,} users came after the split, with a first event on a warm item. Their later "
        "events on warm items, given that first event alone; and the share of the first 20 places that has "
        "the category of that event:",
        "",
        "| | recall@20 | NDCG@10 | of the first event's category |",
        "|---|---|---|---|",
        *(
            f"| {labels[name]} | {_interval(one['recall_20'])} | {_figure(one['ndcg_10'][0])} "
            f"| {one['own_category'][0]:.0%} |"
            for name, one in found["entrants"].items()
        ),
        "",
    ]


def _interval(interval: Sequence[float]) -> str:
    mean, low, high = interval
    return f"{_figure(mean)} ({_figure(low)} to {_figure(high)})"


def _figure(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("0.", ".", 1)
