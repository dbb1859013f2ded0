"""Trains the same model with Shopkeeper and with the peers, one after the other: interactions a second,
memory, quality by time.

    BENCH_ARGS="--files DIR" make benchmark-training      on DIR's Beauty.txt; without it on a made file of the same shape
    BENCH_ARGS=--check make benchmark-training            exit status 1 when a target is not reached
    BENCH_ARGS="--peers rectools" make benchmark-training one peer; `--skip-peers`: ours alone
    BENCH_ARGS=--page make benchmark-training             only write the page and the plot anew from docs/results

Some 25 minutes on two cores, and the peers' installation the first time; nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.speed.environments import NotInstalledError, Peer, default_cache, python_of, read_peers
from benchmarks.speed.interactions import LeaveOneOut, find_interactions
from benchmarks.speed.page import write_page
from benchmarks.speed.process import FailedError, run_alone
from benchmarks.speed.score import Measured, measured
from benchmarks.speed.verdict import OURS, verdict
from configs.console import log
from configs.load import load_config
from training.runs.run import environment, write_json

ROOT = Path(__file__).parent.parent
YAML = ROOT / "configs" / "benchmarks" / "training-speed.yaml"
RESULT = Path("results") / "training-speed.json"
MARKS = (1 / 12, 1 / 6, 1 / 3, 1 / 2, 3 / 4, 1)
"""When lists are made, as shares of the minutes."""


def main() -> int:
    """Measure what was asked for, write result, page and plot; 1 when --check finds a target missed."""
    arguments = _parser().parse_args()
    is_part = arguments.skip_peers or arguments.peers or arguments.users
    out = arguments.out or (None if is_part else ROOT / "docs")
    if arguments.page:
        result = json.loads(((arguments.out or ROOT / "docs") / RESULT).read_text(encoding="utf-8"))
    else:
        with tempfile.TemporaryDirectory() as folder:
            result = measure(arguments, Path(folder))
    if out:
        (out / RESULT).parent.mkdir(parents=True, exist_ok=True)
        write_json(out / RESULT, result)
        write_page(result, out)
    line, is_reached = verdict(result)
    sys.stdout.write(line + "\n")
    return 1 if arguments.check and not is_reached else 0


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Every system on the same interactions, one after the other; ours first."""
    load_before, begun = os.getloadavg()[0], datetime.now(UTC)
    interactions, file = find_interactions(arguments.files)
    interactions = interactions.first(arguments.users)
    log(f"{file['name']}: {len(interactions.users):,} users, {file['sha256'][:12]}")
    interactions.write(folder / "all.txt", train_only=False)
    interactions.write(folder / "train.txt", train_only=True)
    settings = _settings(arguments)
    peers, missing = _chosen(arguments)
    pythons = _installed(peers, missing, cache=arguments.cache)  # before anything is timed
    found = []
    for name, command in {OURS: [sys.executable, "-m", "benchmarks.speed.ours"], **pythons}.items():
        own = {**settings, "name": name, **(_ours(arguments, folder) if name == OURS else {})}
        try:
            found.append(_run(own, command, interactions, folder, cutting=settings["max_length"]))
        except FailedError as error:
            missing[name] = str(error)
            log(f"{name} failed: {error}")
    return {
        "date": f"{begun:%Y-%m-%d}",
        "command": _command(),
        "minutes": arguments.minutes,
        "settings": settings,
        "file": {**file, **({"first_users": arguments.users} if arguments.users else {})},
        "num_interactions": interactions.num_interactions(max_length=settings["max_length"]),
        "systems": [one.as_dict(arguments.minutes) for one in found],
        "missing": missing,
        "load_before": round(load_before, 2),
        **_origin(),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=Path, help="the folder of Beauty.txt, looked for at any depth")
    parser.add_argument("--peers", help="names in benchmarks/peers.txt, several with commas; default: all")
    parser.add_argument("--skip-peers", action="store_true", help="ours alone")
    parser.add_argument(
        "--minutes", type=float, default=6, help="of training for each, and at least one epoch"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128, help="users in a step of the peers")
    parser.add_argument("--users", type=int, help="for a try: the first users of the file alone")
    parser.add_argument(
        "--cache", type=Path, default=default_cache(), help="where the peers' environments are kept"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="where result, page and plot go; default: docs, and nowhere for a part of it all",
    )
    parser.add_argument(
        "--page", action="store_true", help="only write page and plot anew from the kept result"
    )
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is not reached")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="for ours"
    )
    return parser


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The peers' model is what our configuration says."""
    config = load_config(YAML)
    return {
        "dim": config.encoder.dim,
        "num_blocks": config.encoder.num_layers,
        "num_heads": config.encoder.num_heads,
        "dropout": config.encoder.dropout,
        "max_length": config.history.max_length,
        "learning_rate": config.training.learning_rate,
        "batch_size": arguments.batch_size,
        "seed": config.training.seed,
        "threads": arguments.threads,
        "minutes": arguments.minutes,
        "marks": [arguments.minutes * share for share in MARKS],
        "overrides": arguments.overrides,
    }


def _ours(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    own = [f"data.events={folder / 'all.txt'}", f"workspace={folder / 'workspace'}"]
    return {"yaml": str(YAML), "overrides": [*own, *arguments.overrides]}


def _chosen(arguments: argparse.Namespace) -> tuple[list[Peer], dict[str, str]]:
    """(peers to run, those that are not with the reason)"""
    peers = read_peers()
    wanted = (
        []
        if arguments.skip_peers
        else arguments.peers.split(",")
        if arguments.peers
        else [peer.name for peer in peers]
    )
    if unknown := sorted(set(wanted) - {peer.name for peer in peers}):
        raise SystemExit(
            f"--peers {', '.join(unknown)}: not in benchmarks/peers.txt, which has "
            f"{[peer.name for peer in peers]}"
        )
    missing = {peer.name: "not asked for" for peer in peers if peer.name not in wanted}
    return [peer for peer in peers if peer.name in wanted], missing


def _installed(peers: list[Peer], missing: dict[str, str], *, cache: Path) -> dict[str, list[str | Path]]:
    """The command of each peer that could be installed; the others go to `missing`."""
    commands: dict[str, list[str | Path]] = {}
    for peer in peers:
        log(f"{peer.name}: environment {peer.environment(cache)}")
        try:
            commands[peer.name] = [python_of(peer, cache), "-W", "ignore", peer.runner]
        except NotInstalledError as error:
            missing[peer.name] = f"could not be installed: {error}"
            log(f"{peer.name}: {missing[peer.name]}")
    return commands


def _run(
    settings: dict[str, Any],
    command: list[str | Path],
    interactions: LeaveOneOut,
    folder: Path,
    *,
    cutting: int,
) -> Measured:
    name, own = settings["name"], folder / settings["name"]
    own.mkdir()
    write_json(own / "settings.json", {**settings, "train": str(folder / "train.txt"), "out": str(own)})
    log(f"{name}: starts")
    log_file = own / "log.txt"
    peak = run_alone(
        [*command, own / "settings.json"], name=name, log_file=log_file, threads=settings["threads"], log=log
    )
    found = measured(name, own, interactions, max_length=cutting, peak_gb=peak)
    at_end = found.ndcg_after(settings["minutes"])
    log(
        f"{name}: {found.per_second:,.0f} interactions/s, {found.seconds:.1f} s an epoch, NDCG@10 "
        f"{at_end:.4f}, {peak:.1f} GB"
    )
    return found


def _origin() -> dict[str, Any]:
    entries = environment()
    hardware = {name: entries[name] for name in ("cpu", "cores", "gpu")}
    return {
        "hardware": hardware,
        "commit": entries["commit"],
        "uncommitted_changes": entries["uncommitted_changes"],
    }


def _command() -> str:
    """What makes the figure again, without this machine's folders."""
    words = [
        "DIR" if before in ("--files", "--cache", "--out") else word
        for before, word in zip(sys.argv, sys.argv[1:], strict=False)
    ]
    return f'BENCH_ARGS="{shlex.join(words)}" make benchmark-training' if words else "make benchmark-training"


if __name__ == "__main__":
    sys.exit(main())
