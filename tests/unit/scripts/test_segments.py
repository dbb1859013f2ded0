"""`shopkeeper segments` over prepared files: what is printed, written, exported and refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import polars as pl
import pytest
from command_line import RunMain, runner
from odd_shop import NOW, bought, settings, write_settings

from features.core.artefact import read_manifest
from features.customers.profile_columns import COLUMNS
from features.prepare import prepare
from serving.state.store import STORE_FILE, EventStore

PEOPLE = 40


def shop(folder: Path, *overrides: str) -> Path:
    """The settings' YAML: of forty people ten come back every eight days; the others bought once."""
    rows = [
        bought(
            f"u{number}", f"i{number % 4}", day=step, price=2 + number % 3, transaction_id=f"o{number}-{step}"
        )
        for number in range(PEOPLE)
        for step in ((0, 8, 16, 24, 32, 40) if number < 10 else (0,))
    ]
    users = [{"user_id": f"u{number}", "mail": "yes" if number % 2 else "no"} for number in range(PEOPLE)]
    config = settings(folder, rows, "prepare.min_window_users=0", *overrides, users=users)
    prepare(config, now=NOW)
    return write_settings(config)


@pytest.fixture
def shopkeeper(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunMain:
    return runner(monkeypatch, capsys)


def test_it_prints_segments_and_writes_tables_that_say_what_they_hold(
    shopkeeper: RunMain, tmp_path: Path
) -> None:
    yaml = shop(tmp_path)
    done = shopkeeper("segments", "-c", yaml)
    assert done.status == 0, done.err
    assert "40 customers, 90 orders" in done.out
    loyal = next(line for line in done.out.splitlines() if line.startswith("loyal"))
    assert loyal.split()[1:4] == ["10", "25%", "60"]
    assert "last order" in done.out
    folder = tmp_path / "shop" / "customers"
    assert {path.name for path in folder.iterdir()} == {
        *(f"{name}.parquet" for name in ("profiles", "segments", "groups", "moves", "earlier")),
        *("README.txt", "manifest.json"),
    }
    profiles, segments = (pl.read_parquet(folder / f"{name}.parquet") for name in ("profiles", "segments"))
    assert len(profiles) == PEOPLE
    for where, people in segments.filter(pl.col("where") != "").select("where", "people").iter_rows():
        found = shopkeeper("segments", "-c", yaml, "--where", where)
        assert f"{people:,} customers" in found.out, where
    note = (folder / "README.txt").read_text(encoding="utf-8")
    assert "as of 2024-02-10 12:00 UTC" in note
    assert [name for name in COLUMNS if f"\n{name} " not in note] == []
    assert read_manifest(folder, kind="customers", verify=True)["num_customers"] == PEOPLE


def test_moves_are_printed_from_the_second_run_on(shopkeeper: RunMain, tmp_path: Path) -> None:
    yaml = shop(tmp_path)
    first = shopkeeper("segments", "-c", yaml, "--as-of", "2024-01-05")
    assert first.status == 0, first.err
    assert "Moves since" not in first.out
    second = shopkeeper("segments", "-c", yaml)
    assert "Moves since 2024-01-05 00:00 UTC" in second.out
    (moved,) = [line for line in second.out.splitlines() if "new" in line and "loyal" in line]
    assert moved.split() == ["life", "stage", "new", "loyal", "10", "25%"]


def test_an_export_holds_those_who_agreed_and_says_so(shopkeeper: RunMain, tmp_path: Path) -> None:
    yaml, csv = shop(tmp_path, "customers.consent={export: mail}"), tmp_path / "once.csv"
    done = shopkeeper("segments", "-c", yaml, "--where", "orders = 1 and spent > 0", "--csv", csv)
    assert done.status == 0, done.err
    rows = pl.read_csv(csv)
    assert sorted(rows["user_id"]) == sorted(f"u{number}" for number in range(11, PEOPLE, 2))
    assert set(rows["orders"]) == {1}
    note = (tmp_path / "once.csv.txt").read_text(encoding="utf-8")
    assert note.startswith(
        "15 rows, one a customer: customers for whom orders = 1 and spent > 0 of odd, as of 2024"
    )
    assert "15 more fit, and did not agree" in note
    assert "Consent to export: mail" in note


def test_a_text_that_a_spreadsheet_would_run_is_a_text(shopkeeper: RunMain, tmp_path: Path) -> None:
    rows = [
        bought(f"u{number}", "i0", day=step, price=2, source='=HYPERLINK("http://x")', channel="a-b")
        for number in range(12)
        for step in (0, 9)
    ]
    config = settings(tmp_path, rows, "prepare.min_window_users=0")
    prepare(config, now=NOW)
    csv = tmp_path / "all.csv"
    assert shopkeeper("segments", "-c", write_settings(config), "--csv", csv).status == 0
    found = pl.read_csv(csv)
    assert set(found["source"]) == {'\'=HYPERLINK("http://x")'}
    assert set(found["channel"]) == {"a-b"}


def test_who_was_deleted_on_the_server_is_in_no_table_without_a_new_prepare(
    shopkeeper: RunMain, tmp_path: Path
) -> None:
    yaml = shop(tmp_path, "customers.consent={export: mail}")
    assert shopkeeper("segments", "-c", yaml, "--as-of", "2024-01-20").status == 0
    location = tmp_path / "shop" / STORE_FILE
    with EventStore.open(location) as store:

        async def change() -> None:
            await store.users.forget("u3", reason="deleted", now=int(NOW.timestamp() * 1e6))
            await store.users.forget("u4", reason="no_consent", now=0)
            await store.users.put_attributes("u5", {"mail": False})

        asyncio.run(change())
    csv = tmp_path / "all.csv"
    done = shopkeeper("segments", "-c", yaml, "--csv", csv)
    assert done.status == 0, done.err
    for path in (tmp_path / "shop" / "customers").glob("*.parquet"):
        table = pl.read_parquet(path)
        if "user_id" in table.columns:
            assert len(table) == PEOPLE - 2, path
            assert not table["user_id"].is_in(["u3", "u4"]).any(), path
    exported = set(pl.read_csv(csv)["user_id"])
    assert not exported & {"u3", "u4", "u5"}
    assert len(exported) == 18


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--where", "life_stage = 'gone'"), "true of none of 40 customers"),
        (("--where", "user_id = 'u1'"), "true of fewer than 10 customers, who are not shown"),
        (("--where", "spend > 1"), "--where: 'spend > 1' names the column 'spend'"),
        (("--where", "spent > (select 1)"), "--where"),
        (("--as-of", "yesterday"), "Write it as 2024-01-31"),
        (("--as-of", "2999-01-01"), "has not come yet"),
        (("--as-of", "2020-01-01"), "there is no event before 2020-01-01"),
        (("--set", "customers.tags={x: 'a ='}"), "customers.tags.x"),
        (("--set", "customers.consent={export: fax}"), "no user has an attribute 'fax'"),
        (("--set", "customers.lapsed_cycles=1"), "nobody would be at risk"),
    ],
)
def test_a_mistake_is_one_message_with_the_remedy_and_writes_nothing(
    shopkeeper: RunMain, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    csv = tmp_path / "out.csv"
    done = shopkeeper("segments", "-c", shop(tmp_path), "--csv", csv, *arguments)
    assert done.status == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert not csv.exists()
    assert not (tmp_path / "shop" / "customers").exists()


def test_it_needs_prepared_tables_and_a_folder_of_its_own(shopkeeper: RunMain, tmp_path: Path) -> None:
    done = shopkeeper("segments", "--out", tmp_path / "nothing")
    assert (done.status, "shopkeeper prepare" in done.err) == (2, True)
    yaml = shop(tmp_path)
    other = tmp_path / "shop" / "customers"
    other.mkdir()
    (other / "addresses.txt").write_text("mine", encoding="utf-8")
    done = shopkeeper("segments", "-c", yaml)
    assert (done.status, "is not a customers folder" in done.err) == (2, True)
    assert (other / "addresses.txt").read_text(encoding="utf-8") == "mine"
