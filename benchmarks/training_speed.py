"""Compares training with other libraries on the same model: interactions per second, memory, quality by time.

    BENCH_ARGS="--files DIR" make benchmark-training       on DIR's Beauty.txt; else on synthetic interactions
    BENCH_ARGS=--check make benchmark-training             exit status 1 when a target is not reached
    BENCH_ARGS="--peers rectools" make benchmark-training  one peer; `--skip-peers`: Shopkeeper only
    BENCH_ARGS=--page make benchmark-training              only the page and the plot, from docs/results

The libraries run one after the other. This takes about 25 minutes on two cores, and the first time the
installation of the peers; nothing else should run meanwhile.
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

from benchmarks.folders import DOCS, YAMLS
from benchmarks.speed.interactions import LeaveOneOut, find_interactions
from benchmarks.speed.measured_process import RunnerFailedError, run_measured
from benchmarks.speed.page import write_page
from benchmarks.speed.peer_environments import (
    NotInstalledError,
    Peer,
    default_cache,
    python_of,
    read_peers,
)
from benchmarks.speed.score import Measured, read_measurement
from benchmarks.speed.verdict import OURS, verdict
from configs.console import log
from configs.load import load_config
from training.runs.environment import environment
from training.runs.run import write_json

YAML = YAMLS / "training-speed.yaml"
RESULT = Path("results") / "training-speed.json"
LIST_TIMES = (1 / 12, 1 / 6, 1 / 3, 1 / 2, 3 / 4, 1)
"""When lists are made, as shares of the minutes."""


def main() -> int:
    """Measure, write result, page and plot; 1 when --check finds that a target is missed."""
    arguments = _parser().parse_args()
    is_partial = arguments.skip_peers or arguments.peers or arguments.users
    out = arguments.out or (None if is_partial else DOCS)
    if arguments.page:
        result = json.loads(((arguments.out or DOCS) / RESULT).read_text(encoding="utf-8"))
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
    """Every library on the same interactions, one after the other; Shopkeeper first."""
    load_before, started = os.getloadavg()[0], datetime.now(UTC)
    interactions, file = find_interactions(arguments.files)
    interactions = interactions.first(arguments.users)
    log(f"{file['name']}: {len(interactions.users):,} users, {file['sha256'][:12]}")
    interactions.write(folder / "all.txt", train_only=False)
    interactions.write(folder / "train.txt", train_only=True)
    settings = _settings(arguments)
    peers, missing = _selected_peers(arguments)
    commands: dict[str, list[str | Path]] = {
        OURS: [sys.executable, "-m", "benchmarks.speed.shopkeeper_runner"],
        **_peer_commands(peers, missing, cache=arguments.cache),  # installs, before anything is timed
    }
    found = []
    for name, command in commands.items():
        own = {**settings, "name": name, **(_our_settings(arguments, folder) if name == OURS else {})}
        try:
            found.append(_run(own, command, interactions, folder))
        except RunnerFailedError as error:
            missing[name] = str(error)
            log(f"{name} failed: {error}")
    return {
        "date": f"{started:%Y-%m-%d}",
        "command": _command(),
        "minutes": arguments.minutes,
        "settings": settings,
        "file": {**file, **({"first_users": arguments.users} if arguments.users else {})},
        "num_interactions": interactions.num_interactions(max_length=settings["max_length"]),
        "systems": [one.as_dict(arguments.minutes) for one in found],
        "missing": missing,
        "load_before": round(load_before, 2),
        **_machine(),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=Path, help="folder of Beauty.txt, searched at any depth")
    parser.add_argument("--peers", help="names in benchmarks/peers.txt, several with commas; default: all")
    parser.add_argument("--skip-peers", action="store_true", help="Shopkeeper only")
    parser.add_argument(
        "--minutes", type=float, default=6, help="of training per library; at least one epoch is trained"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128, help="users in a step of the peers")
    parser.add_argument("--users", type=int, help="only the first users of the file, for a quick try")
    parser.add_argument(
        "--cache", type=Path, default=default_cache(), help="folder of the peers' environments"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder of result, page and plot; default: docs, and none for a partial measurement",
    )
    parser.add_argument(
        "--page", action="store_true", help="only write page and plot again from the kept result"
    )
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is not reached")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="for Shopkeeper"
    )
    return parser


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """What every runner gets: the peers' model has the settings of our configuration."""
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
        "marks": [arguments.minutes * share for share in LIST_TIMES],
        "overrides": arguments.overrides,
    }


def _our_settings(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    own = [f"data.events={folder / 'all.txt'}", f"workspace={folder / 'workspace'}"]
    return {"yaml": str(YAML), "overrides": [*own, *arguments.overrides]}


def _selected_peers(arguments: argparse.Namespace) -> tuple[list[Peer], dict[str, str]]:
    """(peers to run, name of another peer → why it is not run)"""
    peers = read_peers()
    known = [peer.name for peer in peers]
    wanted = [] if arguments.skip_peers else arguments.peers.split(",") if arguments.peers else known
    if unknown := sorted(set(wanted) - set(known)):
        raise SystemExit(
            f"--peers {', '.join(unknown)}: not in benchmarks/peers.txt, which has {', '.join(known)}"
        )
    missing = {peer.name: "not asked for" for peer in peers if peer.name not in wanted}
    return [peer for peer in peers if peer.name in wanted], missing


def _peer_commands(peers: list[Peer], missing: dict[str, str], *, cache: Path) -> dict[str, list[str | Path]]:
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
    settings: dict[str, Any], command: list[str | Path], interactions: LeaveOneOut, folder: Path
) -> Measured:
    name, own = settings["name"], folder / settings["name"]
    own.mkdir()
    write_json(own / "settings.json", {**settings, "train": str(folder / "train.txt"), "out": str(own)})
    log(f"{name}: starts")
    log_file = own / "log.txt"
    peak = run_measured(
        [*command, own / "settings.json"], name=name, log_file=log_file, threads=settings["threads"], log=log
    )
    found = read_measurement(name, own, interactions, max_length=settings["max_length"], peak_gb=peak)
    at_end = found.ndcg_after(settings["minutes"])
    log(
        f"{name}: {found.per_second:,.0f} interactions/s, {found.seconds:.1f} s per epoch, NDCG@10 "
        f"{at_end:.4f}, {peak:.1f} GB"
    )
    return found


def _machine() -> dict[str, Any]:
    entries = environment()
    hardware = {name: entries[name] for name in ("cpu", "cores", "gpu")}
    return {
        "hardware": hardware,
        "commit": entries["commit"],
        "uncommitted_changes": entries["uncommitted_changes"],
    }


def _command() -> str:
    """The command that measures this again, without this machine's paths."""
    words = [
        "DIR" if before in ("--files", "--cache", "--out") else word
        for before, word in zip(sys.argv, sys.argv[1:], strict=False)
    ]
    return f'BENCH_ARGS="{shlex.join(words)}" make benchmark-training' if words else "make benchmark-training"


if __name__ == "__main__":
    sys.exit(main())
