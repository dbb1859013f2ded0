"""The shop page in headless Chromium, on a real server over a real store."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from chromium import chromium, console, until
from hand_made_bundle import write_bundle
from live_shop import LiveShop
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from configs.settings.services import ServingConfig
from serving.access.access import Access
from serving.access.api_keys import create_key
from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

NAUGHTY = """<img src=x onerror="document.title='owned'"> & <b>Cheese</b>"""
"""The title of cheese4."""
NOTHING_FOUND = "Nothing found. Try other words, or take something from below."


class Page:
    """What a person can see and do."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self.browser = browser

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The only element of this kind, once it is there."""
        return until(lambda: self.all(selector))[0]

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((found) => found.innerText)"
        return list(self.browser.execute_script(script, selector))

    def items(self, row: str) -> list[str]:
        """The items of a row, best first, once the row is there and not about to change."""
        until(lambda: self.all(f"#{row} .rail:not([aria-busy])"))
        script = "return [...document.querySelectorAll(arguments[0])].map((card) => card.dataset.item)"
        return list(self.browser.execute_script(script, f"#{row} .card"))

    def cards(self) -> list[str]:
        """The items of all cards that are on the page."""
        script = (
            "return [...document.querySelectorAll('.card')].filter((card) => card.offsetParent)"
            ".map((card) => card.dataset.item)"
        )
        return list(self.browser.execute_script(script))

    def is_at_rest(self) -> bool:
        """Whether the rows have stood still for half a second: what moves cannot be clicked."""
        before = self.items("home")
        time.sleep(0.5)
        return self.items("home") == before

    def press(self, selector: str) -> None:
        """Wait for the answer before, then click; again, where the page was not ready or changed
        meanwhile."""

        def is_pressed() -> bool:
            until(lambda: not self.all("#home .rail[aria-busy]"))
            try:
                self.one(selector).click()
            except (StaleElementReferenceException, ElementNotInteractableException):
                return False
            except ElementClickInterceptedException:
                return False
            return True

        until(is_pressed)

    def become(self, person: str) -> None:
        """Pick a person from the list, by searching."""
        self.press("#user")
        until(lambda: self.one("#user-search").is_displayed())
        self.one("#user-search").send_keys(person)
        until(lambda: len(self.all(".user")) == 1)
        self.one(".user").click()
        until(lambda: self.one("#user-name").text == person)
        self.items("home")


def offer(shop: LiveShop, **products: dict[str, object]) -> None:
    """Put products into the catalogue, by id."""
    items = [{"id": item, **fields} for item, fields in products.items()]
    httpx.post(f"{shop.url}/v1/items", json={"items": items}, trust_env=False).raise_for_status()


def bought(person: str, item_id: str, days_ago: int) -> dict[str, object]:
    when = datetime.now(UTC) - timedelta(days=days_ago, minutes=5)
    return {
        "event_type": "purchase",
        "user_id": person,
        "item_id": item_id,
        "price": 2.5,
        "timestamp": when.isoformat(),
    }


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline.load(write_bundle(tmp_path_factory.mktemp("bundle") / "bundle"))
    is_naughty = pl.col("id") == "cheese4"
    catalogue = pipeline.bundle.catalogue.with_columns(
        title=pl.when(is_naughty).then(pl.lit(NAUGHTY)).otherwise("title")
    )
    pipeline.bundle = replace(pipeline.bundle, catalogue=catalogue)
    return pipeline


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def shop(pipeline: Pipeline, tmp_path: Path) -> Iterator[LiveShop]:
    """ann bought lately, bob long ago."""
    days_ago = {"cheese4": (9, 6, 3), "cheese5": (3,), "fruit1": (40,)}
    with EventStore.open(tmp_path / "events.db") as store:
        shop = LiveShop(pipeline, store)
        asyncio.run(
            shop.service.recorder.record(
                [bought("ann", item, days) for item, when in days_ago.items() for days in when]
            )
        )
        asyncio.run(shop.record(bought("bob", "bread1", 300)))
        shop.start()
        yield shop
        shop.stop()


@pytest.fixture
def page(browser: webdriver.Chrome, shop: LiveShop) -> Iterator[Page]:
    """The page, opened; afterwards its console must be empty, but for the connections that a test split
    point."""
    browser.get(shop.address)
    yield Page(browser)
    said = console(browser)
    browser.get("about:blank")
    point = ("ERR_CONNECTION_REFUSED", "ERR_BLOCKED_BY_CLIENT")
    assert not [message for message in said if not any(reason in message for reason in point)]


def test_a_person_picked_from_the_list_sees_products_with_prices_and_reasons(page: Page) -> None:
    assert page.items("home")
    page.become("bob")
    assert page.items("buy_again") == ["bread1"]
    page.become("ann")
    assert set(page.items("buy_again")) == {"cheese4", "cheese5", "fruit1"}
    assert page.items("buy_again")[:2] == ["cheese4", "cheese5"]
    assert page.texts("#buy_again .title")[1] == "Cheese5"
    assert page.texts("#buy_again .price")[1] == "$3.50"
    assert page.texts("#buy_again .category")[1] == "Food · Acme"
    assert page.texts("#buy_again .reason")[:2] == [
        "You buy this about every 3 days; last 3 days ago",
        "Bought once, last 3 days ago",
    ]
    assert len(page.items("home")) == 12
    assert page.items("home")[0].startswith("cheese")
    assert page.texts("#home .reason")[0] == "Fits what was bought"
    assert not set(page.items("home")) & set(page.items("buy_again")), "no product twice"
    assert "Cheese5" in page.texts("#purchases .name")
    assert "hand-made" in page.one("#bundle").text
    assert re.fullmatch(r"Page answered in [\d.]+ ms", page.one("#latency").text)


def test_a_product_opens_with_what_goes_with_it_and_back_closes_it(shop: LiveShop, page: Page) -> None:
    page.become("ann")
    page.press('#buy_again [data-item="cheese5"] .open')
    assert page.one("#product-title").text == "Goes with Cheese5"
    until(lambda: shop.stored("ann", "view_item"))
    assert page.items("product")[:3] == ["cheese6", "cheese7", "cheese8"]
    viewed = shop.stored("ann", "view_item")[0]
    assert (viewed.item_id, viewed.surface, viewed.position) == ("cheese5", "buy_again", 2)
    (selected,) = shop.stored("ann", "select_item")
    assert (selected.item_id, selected.recommendation_id) == ("cheese5", viewed.recommendation_id)
    assert viewed.recommendation_id
    assert viewed.session_id
    page.browser.back()
    until(lambda: not page.one("#product").is_displayed())
    page.browser.forward()
    until(lambda: page.one("#product").is_displayed())
    assert len(shop.stored("ann", "view_item")) == 1, "going back and forth is no second look"


def test_a_bookmarked_product_that_is_gone_leaves_the_rest_of_the_shop(shop: LiveShop, page: Page) -> None:
    page.browser.get(f"{shop.address}?user=ann&item=gone")
    assert page.items("buy_again")[0] == "cheese4"
    assert not page.one("#product").is_displayed()
    assert not page.one("#banner").is_displayed()
    assert page.texts("#notice") == ["This product is gone: the shop has no product no. gone now."]
    assert page.browser.current_url.endswith("/shop/?user=ann"), "and not the dead product"
    page.press('#buy_again [data-item="cheese5"] .open')
    until(lambda: not page.one("#notice").is_displayed())
    assert all("items/gone" in message for message in console(page.browser))


def test_cart_and_purchase_change_the_rows(shop: LiveShop, page: Page) -> None:
    page.become("ann")
    before = page.items("home")
    assert "fruit1" in page.items("buy_again")
    page.press('#buy_again [data-item="fruit1"] .add')
    until(lambda: page.texts("#cart .name") == ["Fruit1"])
    assert page.items("with-cart")[:3] == ["fruit2", "fruit3", "fruit4"]
    assert page.texts("#with-cart .reason")[0] == "Bought together with Fruit1"
    after = page.items("home")
    assert not set(after) & set(page.items("with-cart"))
    assert "fruit1" not in {*after, *page.items("buy_again")}
    assert page.texts("#total") == ["$1.10"]
    newcomers = [card.get_attribute("data-item") for card in page.all("#home .card.new")]
    assert newcomers == [item for item in after if item not in before] != []

    page.press("#cart button")
    until(lambda: page.texts("#cart li") == ["Your cart is empty."])
    assert not page.one("#with-cart").is_displayed()
    assert "fruit1" in page.items("buy_again")

    page.press('#buy_again [data-item="fruit1"] .add')
    until(lambda: page.texts("#to-cart, #cart .name")[-1] == "Fruit1")
    until(lambda: "fruit1" not in page.items("buy_again") and page.is_at_rest())
    another = next(item for item in page.items("home") if not item.startswith("fruit"))
    page.press(f'#home [data-item="{another}"] .add')
    until(lambda: len(page.texts("#cart .name")) == 2)
    page.press("#buy")
    until(lambda: page.texts("#cart li") == ["Your cart is empty."])
    assert not page.one("#buy").is_enabled()
    assert page.texts("#purchases h3")[0].lower() == "today · 2 products"
    assert set(page.texts("#purchases .name")[:2]) == {"Fruit1", another.capitalize()}
    assert "Bought once, last within the hour" in page.texts("#buy_again .reason")
    rows = [event for event in shop.stored("ann", "purchase") if event.transaction_id]
    assert len(rows) == 2
    assert len({(row.transaction_id, row.event_id) for row in rows}) == 1


def test_the_home_page_has_rows_of_what_is_hot_where_there_is_some(shop: LiveShop, page: Page) -> None:
    page.become("ann")
    hot = ("#trending", "#new", "#deals")
    until(lambda: len(page.items("home")) == 12)
    assert [page.one(row).is_displayed() for row in hot] == [False] * 3
    soap = {"title": "Soap", "product_type": "Household > Soap", "price": 4.0}
    offer(shop, soap=soap)
    offer(shop, bread9={"price": 4.0, "sale_price": 3.0})
    page.browser.get(f"{shop.address}?user=ann")
    until(lambda: [page.one(row).is_displayed() for row in hot] == [False, True, True])
    shown = {row: page.items(row) for row in ("home", "buy_again", "new", "deals")}
    assert shown["deals"] == ["bread9"]
    assert page.texts("#deals .reason") == ["25 % off"]
    cards = [item for row in shown.values() for item in row]
    assert shown["new"] == ["soap"]
    assert len(cards) == len(set(cards)), "no product twice"
    page.press('#deals [data-item="bread9"] .open')
    until(lambda: page.one("#product").is_displayed())
    assert [page.one(row).is_displayed() for row in hot] == [False] * 3, "they are of the home page"
    offer(shop, bread9={"price": 2.9, "sale_price": None}, soap={**soap, "availability": "out_of_stock"})


def test_a_product_that_is_sold_out_says_so_and_cannot_be_bought(shop: LiveShop, page: Page) -> None:
    brie = {"title": "Brie", "product_type": "Food > Cheese", "price": 4.0, "availability": "out_of_stock"}
    offer(shop, brie=brie, feta={**brie, "title": "Feta", "availability": "in_stock"})
    page.browser.get(f"{shop.address}?user=ann&item=brie")
    until(lambda: page.texts("#sheet .sold-out") == ["Sold out"])
    assert page.texts("#sheet .price") == ["$4.00"]
    assert page.all("#sheet .primary") == []
    page.one("#query").send_keys("brie")
    until(lambda: page.items("found") == ["brie"])
    assert page.texts("#found .sold-out") == ["Sold out"]
    assert page.all("#found .add") == []
    page.browser.get(f"{shop.address}?user=ann&item=feta")
    until(lambda: page.texts("#sheet .primary") == ["Add to cart"])
    assert page.all(".sold-out") == []


def test_who_bought_reads_thanks_with_the_sum_and_sees_how_many(shop: LiveShop, page: Page) -> None:
    two = {"event_type": "add_to_cart", "user_id": "ann", "item_id": "cheese5", "quantity": 2}
    asyncio.run(shop.record(two))
    page.become("bob")
    page.become("ann")
    until(lambda: page.texts("#cart .amount") == ["2 × $3.50"])
    page.press("#buy")
    until(lambda: page.texts("#thanks") == ["Thank you: 1 product for $7.00."])
    assert page.one("#thanks").is_displayed()
    assert page.one("#thanks").aria_role == "status"
    until(lambda: page.texts("#purchases .amount")[0] == "2 × $3.50")
    assert page.texts("#purchases .amount")[1] == "$2.50", "of one product the price alone"
    page.press("#home .add")
    until(lambda: page.texts("#thanks") == [""])


def test_where_the_server_has_keys_the_page_says_what_it_is_for(
    browser: webdriver.Chrome, pipeline: Pipeline, tmp_path: Path
) -> None:
    create_key(tmp_path, "private", name="back end", now=datetime.now(UTC))
    with EventStore.open(tmp_path / "keyed.db") as store:
        access = Access.of(tmp_path, ServingConfig(), is_public=True)
        shop = LiveShop(pipeline, store, access=access)
        shop.start()
        browser.get(shop.address)
        page = Page(browser)
        until(lambda: page.one("#banner").is_displayed())
        assert "This page is for a server without API keys" in page.one("#problem").text
        assert not page.one("#retry").is_displayed()
        shown = [card for card in page.all(".skeleton, #search, #cart-title, #user") if card.is_displayed()]
        browser.get("about:blank")
        shop.stop()
    console(browser)
    assert shown == []


PICTURES = (
    "return [...document.querySelectorAll('#found .picture use')].map((one) => one.getAttribute('href'))"
)


def test_pictures_go_by_whole_words_and_the_category_first(shop: LiveShop, page: Page) -> None:
    titles = {
        "Apples Gold Delicious": ("Produce > Apples", "fruit"),
        "Potatoes Sweet&Yams": ("Produce > Potatoes", "leaf"),
        "Bundle B Bananas": ("Produce > Bananas", "fruit"),
        "Ham & Cheese Crackers": ("Snacks > Crackers", "sweet"),
        "Strawberries": ("", "fruit"),
    }
    for title, (category, picture) in titles.items():
        offer(shop, one={"title": title, "product_type": category or None, "price": 1.0})
        page.browser.get(f"{shop.address}?user=ann&query={title.split()[0]}")
        until(lambda title=title: page.texts("#found .title") == [title])  # type: ignore[misc]
        assert page.browser.execute_script(PICTURES) == [f"icon.svg#{picture}"], title


def test_what_was_found_says_when_there_is_more(shop: LiveShop, page: Page) -> None:
    page.one("#query").send_keys("acme")
    until(lambda: page.texts("#found .note") == ["30 products, in the order for this person"])
    tea = {"product_type": "Drinks > Tea", "price": 3.0}
    offer(shop, **{f"tea{number}": {"title": f"Tea {number}", **tea} for number in range(200)})
    page.browser.get(f"{shop.address}?user=ann&query=tea")
    said = "200 products, the first 48 in the order for this person"
    until(lambda: page.texts("#found .note") == [said])
    offer(shop, tea200={"title": "Tea 200", **tea})
    page.browser.get(f"{shop.address}?user=ann&query=tea")
    said = "The 200 best-selling of those that match, the first 48 in the order for this person"
    until(lambda: page.texts("#found .note") == [said])
    assert len(page.items("found")) == 48


def test_a_cart_that_was_filled_without_prices_has_those_of_the_catalogue(shop: LiveShop, page: Page) -> None:
    asyncio.run(shop.record({"event_type": "add_to_cart", "user_id": "ann", "item_id": "cheese5"}))
    page.become("bob")
    page.become("ann")
    until(lambda: page.texts("#cart .amount") == ["$3.50"])
    assert page.texts("#total") == ["$3.50"]
    page.become("bob")
    page.press('#buy_again [data-item="bread1"] .add')
    until(lambda: page.texts("#buy_again .empty"))
    assert page.texts("#buy_again .empty") == [
        "What there is to buy again is on this page or in the cart already."
    ]


def test_what_was_found_stands_alone_and_makes_room_for_the_product_that_is_opened(page: Page) -> None:
    page.become("ann")
    page.one("#query").send_keys("cheese")
    until(lambda: len(page.items("found")) == 10)
    until(lambda: len(page.cards()) == len(set(page.cards())) == 10)
    page.press('#found [data-item="cheese5"] .open')
    until(lambda: page.one("#product").is_displayed() and not page.one("#found").is_displayed())
    assert page.one("#query").get_attribute("value") == ""
    until(page.is_at_rest)
    assert len(page.cards()) == len(set(page.cards())) > 12
    assert "cheese5" not in page.cards()


def test_what_was_found_is_in_the_order_of_the_person_and_can_be_narrowed(shop: LiveShop, page: Page) -> None:
    page.become("ann")
    page.one("#query").send_keys("acme")
    until(lambda: len(page.items("found")) == 30)
    own = page.items("found")
    assert set(own[:3]) == {"cheese4", "cheese5", "fruit1"}, "what ann bought, of all that Acme makes"
    assert page.texts("#found-categories .chip") == ["Fruit", "Bread", "Cheese"]
    page.press("#found-categories li:nth-child(2) button")
    until(lambda: len(page.items("found")) == 10)
    assert {item[:5] for item in page.items("found")} == {"bread"}
    assert page.texts("#found-title") == ["Results for “acme” in Bread"]
    page.browser.back()
    until(lambda: page.items("found") == own)
    until(lambda: shop.rows("search"))
    (searched,) = shop.rows("search")
    assert (searched["user_id"], searched["search_term"]) == ("ann", "acme")
    page.become("bob")
    page.one("#query").send_keys("acme")
    until(lambda: len(page.items("found")) == 30)
    assert page.items("found")[0] == "bread1"


def test_the_categories_lead_to_what_is_in_them(page: Page) -> None:
    page.become("ann")
    until(lambda: page.texts("#categories .chip") == ["Fruit", "Bread", "Cheese"])
    page.press("#categories li:nth-child(3) button")
    until(lambda: len(page.items("found")) == 10)
    assert set(page.items("found")[:2]) == {"cheese4", "cheese5"}
    assert page.texts("#categories [aria-current=true]") == ["Cheese"]
    page.press("#brand")
    until(lambda: not page.one("#found").is_displayed())
    page.press('#buy_again [data-item="cheese5"] .open')
    page.press("#sheet .level:first-child")
    until(lambda: page.texts("#found-title") == ["Food"])
    assert len(page.items("found")) == 30


def test_the_page_of_a_product_shows_what_goes_with_it_and_what_is_similar(
    shop: LiveShop, page: Page
) -> None:
    page.become("ann")
    assert not page.one("#similar").is_displayed()
    page.press('#buy_again [data-item="cheese5"] .open')
    until(lambda: page.items("similar") == ["cheese9", "cheese0", "cheese1"])
    assert page.texts("#similar-title") == ["Similar to Cheese5"]
    assert page.items("product")[:3] == ["cheese6", "cheese7", "cheese8"]
    assert len(page.cards()) == len(set(page.cards()))
    offer(shop, aged={"title": "Aged cheese", "product_type": "Food > Cheese", "brand": "Acme"})
    page.press('#similar [data-item="cheese9"] .open')
    until(lambda: page.texts("#similar-title") == ["Similar to Cheese9"] and "aged" in page.items("similar"))
    offer(shop, odd={"title": "Zeppelin"})
    page.one("#query").send_keys("zeppelin")
    page.press('#found [data-item="odd"] .open')
    until(lambda: page.texts("#product-title") == ["Goes with Zeppelin"] and page.is_at_rest())
    assert not page.one("#similar").is_displayed(), "nothing is similar to it"
    page.press("#brand")
    until(lambda: not page.one("#product").is_displayed())
    assert not page.one("#similar").is_displayed()


def test_the_panel_shows_the_answers_as_they_came(page: Page) -> None:
    page.become("ann")
    page.one("#panel summary").send_keys(Keys.ENTER)
    until(lambda: page.one("#raw").is_displayed())
    rows = ["Recommended for you", "Buy again", "Trending", "New in the shop", "Deals"]
    assert page.texts("#which option") == rows
    until(lambda: page.one("#trace").is_displayed())
    home = json.loads(page.one("#raw").text)
    cells = page.texts("#trace td")
    assert list(zip(cells[::3], cells[2::3], strict=True)) == [
        (stage["stage"].replace("_", " "), str(stage["num_items"])) for stage in home["trace"]["stages"]
    ]
    assert [item["item_id"] for item in home["items"]] == page.items("home")
    assert page.texts("#recommendation") == [home["recommendation_id"]]
    facts = dict(zip(page.texts("#facts dt"), page.texts("#facts dd"), strict=True))
    assert (facts["Bundle"], facts["Version"]) == (home["bundle"]["name"], home["bundle"]["version"])
    page.one("#which").send_keys("Buy")
    until(lambda: json.loads(page.one("#raw").text)["recommendation_id"] != home["recommendation_id"])
    again = json.loads(page.one("#raw").text)
    assert [item["item_id"] for item in again["items"]] == page.items("buy_again")


def test_cards_that_were_seen_are_reported_with_their_list(shop: LiveShop, page: Page) -> None:
    page.become("ann")
    until(lambda: {row["surface"] for row in shop.rows("view_item_list")} == {"home", "buy_again"})
    seen = [row for row in shop.rows("view_item_list") if row["surface"] == "home"]
    positions = [row["position"] for row in seen]
    assert positions == list(range(1, len(seen) + 1)), "the cards in view, and none beside them"
    assert [row["item_id"] for row in seen] == page.items("home")[: len(seen)]
    assert len(seen) < 12
    assert len({row["recommendation_id"] for row in seen}) == 1


def test_a_title_with_markup_in_it_is_only_text(page: Page) -> None:
    page.become("ann")
    assert NAUGHTY in page.texts("#buy_again .title")
    page.press('#buy_again [data-item="cheese4"] .open')
    assert page.one("#sheet h2").text == NAUGHTY
    assert NAUGHTY in page.texts("#purchases .name")
    assert f"Goes with {NAUGHTY}" in page.texts("#product-title")
    assert page.all("img, b") == []
    assert page.browser.title == "Shopkeeper: the shop"


def test_without_the_server_a_banner_says_so_and_goes_when_it_is_back(shop: LiveShop, page: Page) -> None:
    page.become("ann")
    assert not page.one("#banner").is_displayed()
    shop.stop()
    page.press('#buy_again [data-item="cheese5"] .add')
    until(lambda: page.one("#banner").is_displayed())
    assert "does not answer" in page.one("#problem").text
    shop.start()
    until(lambda: page.texts("#cart .name") == ["Cheese5"])
    until(lambda: not page.one("#banner").is_displayed())
    assert len(shop.stored("ann", "add_to_cart")) == 1


def test_the_banner_offers_another_try_which_counts_once(shop: LiveShop, page: Page) -> None:
    """The event arrives, the history that is read after it does not."""
    page.become("ann")
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/v1/users/*"]})
    page.press('#buy_again [data-item="cheese5"] .add')
    until(lambda: page.one("#banner").is_displayed())
    assert len(shop.stored("ann", "add_to_cart")) == 1
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    page.one("#retry").click()
    until(lambda: page.texts("#cart .amount") == ["$3.50"])
    assert len(shop.stored("ann", "add_to_cart")) == 1


def test_a_new_visitor_gets_what_is_popular_and_is_remembered_by_what_they_do(page: Page) -> None:
    page.press("#user")
    page.press("#new-visitor")
    until(lambda: "visitor" in page.one("#user-name").text)
    assert page.items("home")[:2] == ["fruit0", "fruit1"]
    assert page.texts("#home .note") == ["Popular items, until we know you better"]
    assert "nothing is known of this user yet" in page.one("#remarks").text
    assert page.texts("#buy_again .empty") == ["Nothing to buy again yet. Purchases appear here."]
    page.one("#query").send_keys("bread 7")
    until(lambda: page.items("found") == ["bread7"])
    page.press('#found [data-item="bread7"] .add')
    until(lambda: page.texts("#cart .name") == ["Bread7"])
    until(lambda: page.items("with-cart"))
    assert page.items("with-cart")[0].startswith("bread")
    assert page.texts("#home .note") == [""]
    page.one("#query").send_keys("x")
    until(lambda: page.texts("#found .rail") == [NOTHING_FOUND])
    assert page.one("#home").is_displayed()
    assert not page.one("#buy_again").is_displayed()
    page.press("#home .card:first-child .open")
    until(lambda: page.one("#product").is_displayed() and not page.one("#found").is_displayed())


def test_the_keyboard_is_enough_and_keeps_its_place(page: Page) -> None:
    page.become("ann")
    assert page.items("buy_again")[1] == "cheese5"
    page.one('#buy_again [data-item="cheese5"] .add').send_keys(Keys.ENTER)
    until(lambda: page.texts("#cart .name") == ["Cheese5"])
    focused = "const [at, card] = [document.activeElement, document.activeElement.closest('.card')]; "
    second = page.items("buy_again")[1]
    assert page.browser.execute_script(focused + "return [at.className, card.dataset.item]") == [
        "add",
        second,
    ]


WIDER = """
const width = document.documentElement.clientWidth;
const found = [...document.querySelectorAll("body *")].filter((one) => !one.parentElement.closest(".rail"));
return document.documentElement.scrollWidth <= width ? [] : found
  .map((one) => [one.tagName, one.id, one.className, one.getBoundingClientRect().right])
  .filter((found) => found.at(-1) > width);
"""
"""What sticks out of the screen, where the page can be scrolled sideways. A row scrolls its cards itself."""


@pytest.fixture
def resize(browser: webdriver.Chrome) -> Iterator[Callable[[int], None]]:
    """Gives the screen another width, and back."""

    def to(width: int) -> None:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        until(lambda: browser.execute_script("return innerWidth") == width)

    yield to
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("width", [375, 768, 1280])
def test_nothing_is_wider_than_the_screen(page: Page, resize: Callable[[int], None], width: int) -> None:
    resize(width)
    page.become("ann")
    page.one("#query").send_keys("acme")
    until(lambda: len(page.items("found")) == 30)
    page.press("#panel summary")
    assert page.browser.execute_script(WIDER) == []
    page.press("#panel summary")
    page.press("#brand")
    page.press('#buy_again [data-item="cheese4"] .open')
    assert page.items("product")
    page.press('#product [data-item="cheese5"] .add')
    until(lambda: page.texts("#cart .name") == ["Cheese5"] and page.is_at_rest())
    assert page.browser.execute_script(WIDER) == []
    tops = page.browser.execute_script(
        "return [...document.querySelectorAll('#to-cart, #user')].map((one) => one.offsetTop)"
    )
    assert width >= 960 or len(set(tops)) == 1, "the cart and the user stand on one line"
    assert len(page.cards()) == len(set(page.cards())) > 12, "no product twice"


SCROLLS = """
return [...document.querySelectorAll("#panel, #panel *")]
  .filter((one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowY))
  .filter((one) => one.scrollHeight > one.clientHeight)
  .map((one) => one.id || one.className);
"""


def test_the_open_panel_shows_the_whole_trace_and_scrolls_in_one_place(
    page: Page, resize: Callable[[int], None]
) -> None:
    resize(1280)
    page.become("ann")
    page.press("#panel summary")
    until(lambda: page.one("#trace").is_displayed())
    box = "return document.querySelector(arguments[0]).getBoundingClientRect().bottom"
    assert page.browser.execute_script(box, "#trace") <= 900
    assert page.browser.execute_script(SCROLLS) == ["raw"]
    resize(1000)
    assert page.browser.execute_script(SCROLLS) == ["inside"]


def test_on_a_phone_the_closed_strip_is_one_line(page: Page, resize: Callable[[int], None]) -> None:
    resize(400)
    page.press("#user")
    page.press("#new-visitor")
    until(lambda: "nothing is known" in str(page.one("#remarks").get_attribute("textContent")))
    summary = page.one("#panel summary")
    assert summary.size["height"] <= 36, "one line"
    page.press("#panel summary")
    until(lambda: page.one("#panel summary").size["height"] > 36)
    assert "nothing is known" in page.one("#panel summary").text


ODD = """
const done = arguments[1], image = new Image();
image.onload = () => {
  const context = new OffscreenCanvas(image.width, 1).getContext("2d");
  context.drawImage(image, 0, -Math.floor(image.height / 2));
  const line = [...context.getImageData(2, 0, image.width - 2, 1).data].join().match(/\\d+,\\d+,\\d+,255/g);
  done(line.filter((colour, place) => place && colour !== line[place - 1]).length);
};
image.src = `data:image/png;base64,${arguments[0]}`;
"""
"""How often the colour changes along the middle line of a picture."""


def test_a_rows_scrollbar_has_no_arrows(page: Page) -> None:
    page.become("ann")
    page.browser.execute_script("document.querySelector('#home').scrollIntoView({ block: 'center' })")
    left, bottom = page.browser.execute_script(
        "const box = document.querySelector('#home .rail').getBoundingClientRect();"
        "return [box.left + scrollX, box.bottom + scrollY]"
    )
    clip = {"x": left, "y": bottom - 8, "width": 40, "height": 8, "scale": 1}
    shot = page.browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip})
    said = console(page.browser)
    page.browser.get("about:blank")
    assert page.browser.execute_async_script(ODD, shot["data"]) <= 1, "the bar, and nothing beside it"
    assert said == []
