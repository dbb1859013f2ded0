"""`shopkeeper report`: the page in both languages, of good shops and odd ones."""

from __future__ import annotations

import asyncio
import re
import shutil
from datetime import timedelta
from html import unescape
from pathlib import Path
from string import Formatter

import pytest
from command_line import RunMain, runner
from odd_shop import NOW, START, Row, bought, settings, write_settings

from configs.load import load_config
from features.customers.group_names import USUAL
from features.customers.group_numbers import NUMBERS
from features.prepare import prepare
from features.report.glance import Glance
from scripts.report_page import pdf
from scripts.report_page.charts import scale
from scripts.report_page.gather import gather
from scripts.report_page.language import FOLDER, LANGUAGES, Language
from scripts.report_page.rendering import SECTIONS
from serving.recommend.served_bundle import ChampionPointer, write_pointer
from serving.state.store import STORE_FILE, EventStore
from training.evaluation.evaluation_record import EvaluationRecord, MostShown, Spread
from training.runs.run import Run
from training.runs.run import write_settings as write_run_settings

EVIL = '<script>alert("1")</script> & Söhne'
PEOPLE = 30


def events(*, priced: bool = True) -> list[Row]:
    """Thirty people look; most put it into the cart and buy it, and come back after 20 days; the first
    product is bought with another one."""
    found: list[Row] = []
    for number in range(PEOPLE):
        for day in (0, 20) if number < 24 else (0,):
            visit = {"session_id": f"s{number}-{day}"}
            row = bought(f"person{number}", f"i{number % 3}", day=day, **visit)
            found.append(row | {"event_type": "view_item"})
            if number % 4:
                found.append(row | {"event_type": "add_to_cart"})
                price = {"price": 2 + number % 3} if priced else {}
                found.append(row | {"event_type": "purchase", **price})
                if number % 3 == 0:
                    found.append(row | {"item_id": "i3", **({"price": 1} if priced else {})})
    late = bought("person0", "i0", day=45, session_id="late")
    return [*found, late | {"event_type": "view_item"}]


def shop(folder: Path, rows: list[Row], *overrides: str) -> Path:
    """The settings' YAML of a prepared shop, whose first product has markup for a name."""
    items = [{"id": f"i{number}", "title": EVIL if number == 0 else f"Tea {number}"} for number in range(4)]
    small = ("prepare.min_window_users=0", "prepare.max_rejected_share=1", *overrides)
    config = settings(folder, rows, *small, items=items)
    prepare(config, now=NOW)
    return write_settings(config)


@pytest.fixture
def shopkeeper(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunMain:
    return runner(monkeypatch, capsys)


def section(page: str, name: str) -> str:
    """The visible text of a section."""
    found = re.search(rf'<section id="{name}">(.*?)</section>', page, re.S)
    assert found is not None, name
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def page_of(shopkeeper: RunMain, yaml: Path, *arguments: object) -> str:
    done = shopkeeper("report", "-c", yaml, *arguments)
    assert done.status == 0, done.err
    return Path(done.out.split()[0]).read_text(encoding="utf-8")


def test_the_page_shows_the_shop_and_loads_and_runs_nothing(shopkeeper: RunMain, tmp_path: Path) -> None:
    yaml = shop(tmp_path, events(), "prepare.currency=EUR")
    assert shopkeeper("segments", "-c", yaml, "--as-of", "2024-01-10").status == 0
    assert shopkeeper("segments", "-c", yaml).status == 0
    assert shopkeeper("product-bundles", "-c", yaml).status == 0
    page = page_of(shopkeeper, yaml)
    assert "<script" not in page
    assert "&lt;script&gt;alert(" in page
    assert "default-src 'none'" in unescape(page)
    assert re.findall(r"https?:|//\w|\bsrc=|url\(|@import|\bon\w+=|\bstyle=", page) == []
    assert re.findall(r"person\d", page) == []
    assert len(re.findall(r"<h2>", page)) == len(SECTIONS)
    glance = section(page, "glance")
    assert "22 customers who bought" in glance
    assert "40 orders" in glance
    assert "€134.00 revenue" in glance
    assert "82% of the customers ordered again" in glance
    assert re.search(r"looked at a product 100% 55 .*bought 73% 40", section(page, "funnel"))
    assert "82% of the customers order again within 30 days" in section(page, "cohorts")
    assert "loyal" in section(page, "customers")
    assert "model" in section(page, "recommended")


def test_in_chinese_nothing_but_names_is_left_in_english(shopkeeper: RunMain, tmp_path: Path) -> None:
    yaml = shop(tmp_path, events())
    assert shopkeeper("segments", "-c", yaml).status == 0
    page = page_of(shopkeeper, yaml, "--language", "zh", "--output", tmp_path / "zh.html")
    assert '<html lang="zh-CN">' in page
    visible = " ".join(section(page, name) for name in SECTIONS)
    kept = re.sub(r"shopkeeper [\w-]+|<script>.*?Söhne|Tea \d|data\.clock: ordinal", "", visible)
    kept = kept.replace("&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; Söhne", "")
    assert re.findall(r"[A-Za-z]{2,}", kept) == []
    assert "2024年1月" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_odd_shops_say_what_they_lack(shopkeeper: RunMain, tmp_path: Path, language: str) -> None:
    words = Language.load(language)
    refunds: list[Row] = [
        {**row, "event_type": "refund"} for row in events() if row["event_type"] == "purchase"
    ]
    only_bought = [row for row in events(priced=False) if row["event_type"] == "purchase"]
    few = [row for row in events() if str(row["user_id"])[6:] in ("1", "2", "3")]
    wanted = {
        "refunds": (refunds, "glance", "empty.no_purchases"),
        "bought": (only_bought, "funnel", "empty.one_step"),
        "prices": (only_bought, "glance", "glance.no_prices"),
        "few": (few, "cohorts", "empty.few_customers"),
    }
    for name, (rows, where, key) in wanted.items():
        yaml = shop(tmp_path / name, rows)
        page = page_of(shopkeeper, yaml, "--language", language)
        sentence = words.say(key, people=10, step=words.say("funnel.purchase"))
        assert sentence in section(page, where), name
        assert words.say("empty.no_customers") in section(page, "customers")
        assert words.say("empty.no_bundles_made") in section(page, "bundles")
        assert words.say("empty.no_champion") in section(page, "recommended")


def test_one_person_who_refused_does_not_make_a_crowd(shopkeeper: RunMain, tmp_path: Path) -> None:
    """Eight who agreed, and one who did not, with twelve orders: nine people, and ten may be shown."""
    visits = [*((f"person{number}", number) for number in range(8)), *(("refused", day) for day in range(12))]
    rows = [
        bought(user, "i0", day=day, price=5, session_id=f"{user}-{day}") | {"event_type": kind}
        for user, day in visits
        for kind in ("view_item", "purchase")
    ]
    answers = [
        {"user_id": user, "tables": "no" if user == "refused" else "yes"}
        for user in dict.fromkeys(user for user, _ in visits)
    ]
    rules = (
        "prepare.min_window_users=0",
        "prepare.max_rejected_share=1",
        "customers.consent.profiles=tables",
    )
    config = settings(tmp_path, rows, *rules, users=answers)
    prepare(config, now=NOW)
    page = page_of(shopkeeper, write_settings(config))
    words = Language.load("en")
    assert words.say("empty.few_customers", people=10) in section(page, "glance")
    assert words.say("empty.few_visitors", people=10) in section(page, "funnel")


def test_a_segment_with_nobody_is_named_without_a_number(shopkeeper: RunMain, tmp_path: Path) -> None:
    yaml = shop(tmp_path, events(priced=False))
    assert shopkeeper("segments", "-c", yaml).status == 0
    text = section(page_of(shopkeeper, yaml), "customers")
    assert "Nobody, or fewer than 10 people: " in text
    assert "There are no value tiers, because the events have no prices." in text
    few = [row for row in events() if int(str(row["user_id"])[6:]) < 15]
    yaml = shop(tmp_path / "few", few, "customers.tags={rich: spent > 1000}")
    assert shopkeeper("segments", "-c", yaml).status == 0
    text = section(page_of(shopkeeper, yaml), "customers")
    assert "Nobody, or fewer than 10 people: top, high, middle, low." in text
    assert "Nobody, or fewer than 10 people: rich." in text


def test_mistakes_name_the_option_and_the_remedy(
    shopkeeper: RunMain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaml = shop(tmp_path, events())
    assert "--language fr: is none of en, zh" in shopkeeper("report", "-c", yaml, "--language", "fr").err
    assert "name a .html file" in shopkeeper("report", "-c", yaml, "--output", tmp_path / "a.pdf").err
    monkeypatch.setattr(pdf, "BROWSERS", ("no-such-browser",))
    done = shopkeeper("report", "-c", yaml, "--pdf")
    assert done.status == 2
    assert "Install one (Debian: apt install chromium)" in done.err
    assert (tmp_path / "shop" / "report.html").is_file()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="it is printed by Chromium")
def test_a_browser_prints_it(shopkeeper: RunMain, tmp_path: Path) -> None:
    yaml = shop(tmp_path, events())
    done = shopkeeper("report", "-c", yaml, "--pdf")
    assert done.status == 0, done.err
    assert (tmp_path / "shop" / "report.pdf").read_bytes().startswith(b"%PDF-")


def placeholders(sentence: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def test_both_languages_have_every_sentence_with_the_same_placeholders() -> None:
    english, chinese = (Language.load(code).sentences for code in ("en", "zh"))
    assert list(english) == list(chinese)
    for key, sentence in english.items():
        assert placeholders(sentence) == placeholders(chinese[key]), key
    prose = re.compile(r"shopkeeper [\w-]+|data\.clock: ordinal|\{\w+\}")
    left = {key: text for key, text in chinese.items() if re.search(r"[A-Za-z]{2,}", prose.sub("", text))}
    assert left == {}
    for one in NUMBERS:
        assert {f"phrase.{one.high}", f"phrase.{one.low}", f"unit.{one.unit}"} <= english.keys()
    assert f"phrase.{USUAL}" in english


def test_every_sentence_is_used_and_none_stands_in_a_template() -> None:
    root = FOLDER.parents[2]
    code = [
        *FOLDER.parent.rglob("*.py"),
        *FOLDER.parent.rglob("*.html"),
        *(root / "features/report").glob("*.py"),
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in code)
    families = ("name.", "phrase.", "unit.")
    for key in Language.load("en").sentences:
        if not key.startswith(families):
            assert key.removeprefix("empty.").rpartition(".")[2] in text, key
    for path in FOLDER.parent.rglob("*.html"):
        markup = re.sub(r"\{[{%].*?[}%]\}|<[^>]+>", " ", path.read_text(encoding="utf-8"))
        assert re.findall(r"[A-Za-z]{3,}", markup) == [], path.name


@pytest.mark.parametrize(
    ("code", "currency", "value", "text"),
    [
        ("en", "USD", 1234.5, "$1,234.50"),
        ("en", "SEK", -3, "−3.00 SEK"),
        ("zh", "JPY", 1234, "1,234 JPY"),
        ("zh", "CNY", 0.5, "¥0.50"),
        ("en", None, 7, "7.00"),
    ],
)
def test_money_is_written_in_the_currency_of_the_shop(
    code: str, currency: str | None, value: float, text: str
) -> None:
    assert Language.load(code, currency=currency).money(value) == text


def test_headlines_are_short_and_scales_are_round() -> None:
    english, chinese = Language.load("en", currency="USD"), Language.load("zh", currency="USD")
    assert english.money(4_596_461, short=True) == "$4.60M"
    assert chinese.money(4_596_461, short=True) == "$460万"
    assert scale(93) == [0, 50, 100]
    assert scale(0.9) == [0, 0.5, 1.0]
    assert scale(0) == [0, 1]


def test_who_was_deleted_and_came_back_is_a_guest_until_asked_anew(tmp_path: Path) -> None:
    users = [{"user_id": f"person{number}", "tables": "yes"} for number in range(PEOPLE)]
    small = ("prepare.min_window_users=0", "customers.consent.profiles=tables")
    config = settings(tmp_path, events(), *small, users=users)
    prepare(config, now=NOW)
    before = gather(config).glance
    with EventStore.open(config.workspace / STORE_FILE) as store:
        deleted = int((START + timedelta(days=10)).timestamp() * 1e6)
        asyncio.run(store.users.forget("person1", reason="deleted", now=deleted))
    after = gather(config).glance  # person1 bought again on day 20
    assert isinstance(before, Glance)
    assert isinstance(after, Glance)
    assert before.customers - after.customers == 1
    assert after.guest_orders is None, "of fewer people than may be shown"


def write_champion(workspace: Path, *, spread: Spread | None) -> None:
    """A live model whose evaluation showed one product to many, and one to few."""
    run = Run(workspace / "runs" / "spring")
    run.folder.mkdir(parents=True, exist_ok=True)
    write_run_settings(run, load_config(workspace=workspace))
    record = EvaluationRecord(
        split_point="test",
        as_of=0,
        split="time",
        users={"all": 40},
        users_in_window=40,
        systems={},
        coverage={"pipeline": {"20": 0.75}},
        most_shown=[MostShown(id="i0", title=EVIL, users=30), MostShown(id="i1", title="Rare", users=9)],
        spread=spread,
    )
    record.write(run.folder)
    write_pointer(workspace, ChampionPointer("spring", "v", workspace / "bundles" / "spring"))


def test_what_the_live_model_shows_and_how_concentrated_it_is(shopkeeper: RunMain, tmp_path: Path) -> None:
    yaml = shop(tmp_path, events())
    spread = Spread(num_items=4, num_used=3, top_1=0.4, top_10=0.4, gini=0.31)
    write_champion(tmp_path / "shop", spread=spread)
    text = section(page_of(shopkeeper, yaml), "recommended")
    assert "lists of 40 customers" in text
    assert "75% of the products that may be shown stand in some list" in text
    assert re.search(r"The top 10% of the products 40% 26%", text)  # 14 of 53 sales are of one product
    assert "alert" in text
    assert "75%" in text
    assert "Rare" not in text
    write_champion(tmp_path / "shop", spread=None)
    assert "run shopkeeper evaluate again" in section(page_of(shopkeeper, yaml), "recommended")
