"""`shopkeeper demo`: every step on the grocery data, then the live server, the shop page and the MLflow
pages."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from configs.console import log
from configs.exceptions import ServingError
from configs.schema import Config
from scripts.follow_alias import follow_alias
from scripts.store import import_tables
from serving.deploy.ports import hold_port
from serving.deploy.server import start
from serving.recommend.served_bundle import read_pointer
from training.runs.run import Run
from training.tracking.client import artifact_location, experiment_path, tracking_uri

SHOWN = 8
"""Length of the lists on the last screen."""


def run_demo(config: Config, *, exit_when_done: bool) -> None:
    """Prepare, train, evaluate, export, serve and print the last screen; then wait for Ctrl-C, or exit."""
    started = time.monotonic()
    hold_port("127.0.0.1", config.tracking.port, setting="tracking.port").close()
    hold_port(config.serving.host, config.serving.port, setting="serving.port").close()
    run, bundle = _build(config)
    import_tables(config)
    log(f"starting the server ({_minutes(started)})")
    pointer = read_pointer(config.workspace)
    is_champion = pointer is not None and pointer.run == run.name
    server = start(config, bundle, is_champion=is_champion)
    try:
        with _mlflow_pages(config) as mlflow_url:
            _last_screen(config, run, server.url, mlflow_url, minutes=_minutes(started))
            if not exit_when_done:
                if is_champion:
                    follow_alias(config, server)
                log("Ctrl-C stops everything.")
                _wait_for_signal()
    finally:
        server.stop()


def _build(config: Config) -> tuple[Run, Path]:
    from features.ingest.report_table import render_report
    from features.prepare import prepare
    from training.lifecycle import evaluate_run, release
    from training.train import train

    console = Console()
    log("1 of 4: preparing the data")
    prepare(
        config, now=datetime.now(UTC), progress=log, show=lambda found: console.print(render_report(found))
    )
    log("2 of 4: training")
    run = train(config)
    log("3 of 4: evaluating on the last window")
    evaluate_run(config, run)
    log("4 of 4: fitting on everything and writing the bundle")
    released = release(config, run)
    decision = released.decision
    log(f"champion: {'yes' if decision.is_champion else 'no'} ({decision.why})")
    return run, released.bundle


def _last_screen(config: Config, run: Run, url: str, mlflow_url: str | None, *, minutes: str) -> None:
    console = Console()
    with httpx.Client(base_url=url, timeout=10) as client:
        user = client.get("/v1/shop/users", params={"limit": 1}).raise_for_status().json()["users"][0]["id"]
        bought = client.get(f"/v1/users/{user}").raise_for_status().json()
        console.rule(f"Household {user}")
        _show_history(console, [event for event in bought["events"] if event["event_type"] == "purchase"])
        console.print()
        before = _recommend(client, user)
        _show_list(console, before, heading="Recommended, and why")
        posted = _post_two_events(client, user, before)
        after = _recommend(client, user)
        console.print(f"\nThe household {posted}.\n", markup=False)
        _show_list(console, after, heading="After two events; what is new is marked", seen=before)
    console.rule("The pipeline against every retriever alone")
    console.print((run.folder / "evaluation.txt").read_text(encoding="utf-8"), markup=False)
    console.rule(f"Ready after {minutes}")
    console.print(f"shop page    {url}/shop/?user={user}")
    console.print(f"API          {url}/docs")
    mlflow = mlflow_url + experiment_path(config) if mlflow_url else "not started: tracking is off"
    console.print(f"MLflow       {mlflow}")


def _recommend(client: httpx.Client, user: str) -> dict[str, Any]:
    request = {"user_id": user, "num_results": SHOWN, "return_fields": ["title", "price"]}
    answer: dict[str, Any] = client.post("/v1/recommend", json=request).raise_for_status().json()
    return answer


def _post_two_events(client: httpx.Client, user: str, answer: dict[str, Any]) -> str:
    """A view of one recommended product and another one added to the cart; returns a sentence about both."""
    viewed, added = answer["items"][1], answer["items"][0]
    events = [
        {"event_id": str(uuid.uuid4()), "event_type": kind, "user_id": user, "item_id": item["item_id"]}
        for kind, item in (("view_item", viewed), ("add_to_cart", added))
    ]
    accepted = client.post("/v1/events", json={"events": events}).raise_for_status().json()["accepted"]
    if accepted != len(events):
        raise ServingError(f"the server accepted {accepted} of {len(events)} events")
    return f"looked at {viewed['fields']['title']}, put {added['fields']['title']} into the cart"


def _show_history(console: Console, events: list[dict[str, Any]]) -> None:
    table = Table(title="Bought lately", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in ("when", "item", "price"):
        table.add_column(heading)
    for event in events[:SHOWN]:
        price = event.get("price")
        table.add_row(
            str(event["timestamp"])[:16].replace("T", " "),
            event["title"],
            "" if price is None else f"{price:.2f}",
        )
    console.print(table)


def _show_list(
    console: Console, answer: dict[str, Any], *, heading: str, seen: dict[str, Any] | None = None
) -> None:
    known = {item["item_id"] for item in seen["items"]} if seen else set()
    table = Table(title=heading, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column, width in (("", 3), ("item", 34), ("price", 6), ("because", 32)):
        table.add_column(
            column,
            width=width,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if column == "price" else "left",
        )
    for item in answer["items"]:
        mark = "new" if seen and item["item_id"] not in known else str(item["rank"])
        price = item["fields"].get("price")
        table.add_row(
            mark, item["fields"]["title"], "" if price is None else f"{price:.2f}", item["reasons"][0]["text"]
        )
    console.print(table)


@contextlib.contextmanager
def _mlflow_pages(config: Config) -> Iterator[str | None]:
    """The MLflow UI on loopback while the block runs."""
    if not config.tracking.enabled:
        yield None
        return
    port = config.tracking.port
    log_file = (config.workspace / "mlflow-ui.log").open("w", encoding="utf-8")
    options = {
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
        "--backend-store-uri": tracking_uri(config),
        "--default-artifact-root": artifact_location(config),
    }
    command = [sys.executable, "-m", "mlflow", "server", *chain.from_iterable(options.items())]
    with log_file:
        process = subprocess.Popen(command, stdout=log_file, stderr=log_file)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_healthy(url, process, log_file=config.workspace / "mlflow-ui.log")
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_healthy(
    url: str, process: subprocess.Popen[bytes], *, log_file: Path, seconds: float = 90
) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                return
        time.sleep(0.3)
    raise ServingError(f"The MLflow pages at {url} did not start: see {log_file}.")


def _wait_for_signal() -> None:
    wanted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: wanted.set())
    wanted.wait()


def _minutes(started: float) -> str:
    seconds = round(time.monotonic() - started)
    return f"{seconds // 60} min {seconds % 60} s"
