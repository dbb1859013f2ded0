"""The JavaScript client in headless Chromium, in a page of another origin than the server's: what arrives
there, and what does not."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from chromium import chromium, console, until
from hand_made_bundle import write_bundle
from live_shop import LiveShop
from selenium import webdriver

from configs.settings.services import ServingConfig
from serving.access.access import Access
from serving.access.api_keys import create_key
from serving.access.token_secret import create_secret
from serving.access.user_tokens import user_token
from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

JAVASCRIPT_PAGE = Path(__file__).parents[2] / "docs" / "javascript.md"
NEVER = 600_000
"""Milliseconds: longer than any test."""


class StorefrontPage(BaseHTTPRequestHandler):
    """An empty page of a shop."""

    def do_GET(self) -> None:
        page = b"<!doctype html><meta charset=utf-8><link rel=icon href=data:,><title>Shop</title><body>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Client:
    """A page with the client in it."""

    def __init__(self, browser: webdriver.Chrome, shop: LiveShop, storefront: str) -> None:
        self.browser, self.shop, self.storefront = browser, shop, storefront

    def open(self, **options: Any) -> None:
        """Load the page anew, and make `shopkeeper`."""
        self.browser.get(self.storefront)
        self.make(**options)

    def make(self, **options: Any) -> None:
        made = self.browser.execute_async_script(
            "const done = arguments[2]; import(arguments[0]).then("
            "({ Shopkeeper }) => { window.shopkeeper = new Shopkeeper(arguments[1]); done(null); },"
            "(error) => done(String(error)));",
            f"{self.shop.address}shopkeeper.js",
            {"url": self.shop.url, **options},
        )
        assert made is None, made

    def do(self, script: str) -> Any:
        """The value of a script, once it is there; of an error its properties."""
        return self.browser.execute_async_script(
            f"const done = arguments[0]; (async () => {{ {script} }})().then(done, (error) => done("
            "{ ...error, name: error.name, message: error.message }));"
        )

    def kept(self) -> dict[str, str]:
        """What is in localStorage."""
        return dict(self.do("return { ...localStorage }"))

    def sent(self) -> list[list[dict[str, Any]]]:
        """The events of each request that arrived."""
        return [body["events"] for body in self.shop.gate.bodies("/v1/events")]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline.load(write_bundle(tmp_path_factory.mktemp("bundle") / "bundle"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def storefront() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), StorefrontPage) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def shop(pipeline: Pipeline, storefront: str, tmp_path: Path) -> Iterator[LiveShop]:
    with EventStore.open(tmp_path / "events.db") as store:
        shop = LiveShop(pipeline, store, cors_origins=[storefront])
        shop.start()
        yield shop
        shop.stop()


@pytest.fixture
def client(browser: webdriver.Chrome, shop: LiveShop, storefront: str) -> Iterator[Client]:
    yield Client(browser, shop, storefront)
    browser.get(storefront)
    browser.execute_script("localStorage.clear()")
    browser.get("about:blank")
    console(browser)


@contextmanager
def away(shop: LiveShop) -> Iterator[None]:
    """The server is gone for a while."""
    shop.stop()
    yield
    shop.start()


def test_events_arrive_together_with_the_person_and_a_number_of_their_own(client: Client) -> None:
    client.open()
    client.do(
        "shopkeeper.viewItem('fruit1', { price: 1.1 });"
        "shopkeeper.search('bread', { attributes: { maxPrice: 3 } });"
        "shopkeeper.login(77); shopkeeper.addToCart('fruit1');"
    )
    until(lambda: client.shop.stored("77", "add_to_cart"))
    visitor = client.do("return shopkeeper.visitorId")
    assert [len(events) for events in client.sent()] == [2, 1], "a request is of one user"
    viewed, searched, added = [event for events in client.sent() for event in events]
    assert (viewed["event_type"], viewed["item_id"], viewed["price"]) == ("view_item", "fruit1", 1.1)
    assert (searched["search_term"], searched["attributes"]) == ("bread", {"maxPrice": 3})
    assert "user_id" not in viewed
    assert (added["user_id"], added["quantity"]) == ("77", 1)
    assert {event["visitor_id"] for event in (viewed, searched, added)} == {visitor}
    assert len({event["session_id"] for event in (viewed, searched, added)}) == 1
    assert len({event["event_id"] for event in (viewed, searched, added)}) == 3
    assert client.shop.stored(f"visitor:{visitor}", "view_item")
    assert client.do("return shopkeeper.pending") == 0
    assert not [key for key in client.kept() if "event" in key]
    client.open()
    assert client.do("return shopkeeper.visitorId") == visitor, "the next page knows the visitor"
    client.do("shopkeeper.newVisitor()")
    assert client.do("return shopkeeper.visitorId") != visitor


def test_a_full_batch_does_not_wait_and_an_order_that_is_reported_again_counts_once(client: Client) -> None:
    client.open(batchMs=NEVER, batchSize=3)
    client.do("for (const item of ['fruit1', 'fruit2', 'fruit3', 'fruit4']) shopkeeper.viewItem(item);")
    until(lambda: client.sent())
    items = "[{ itemId: 'fruit1', quantity: 2, price: 1.1 }, { itemId: 'bread1' }]"
    for _ in range(2):  # the thank-you page, loaded again
        client.open()
        client.do(f"shopkeeper.purchase({{ transactionId: 'order-9', items: {items} }})")
        client.do("return shopkeeper.flush()")
    bought = client.shop.rows("purchase")
    assert [(row["item_id"], row["quantity"], row["transaction_id"]) for row in bought] == [
        ("fruit1", 2, "order-9"),
        ("bread1", None, "order-9"),
    ]


def test_while_the_server_is_away_events_wait_and_then_arrive_once(client: Client) -> None:
    client.open(batchMs=50)
    with away(client.shop):
        for item in ("fruit1", "fruit2", "fruit3"):
            client.do(f"shopkeeper.viewItem('{item}')")
        assert client.do("return shopkeeper.flush()") is False
        assert len([key for key in client.kept() if "event" in key]) == 3
    until(lambda: client.do("return shopkeeper.pending") == 0)
    assert [row["item_id"] for row in client.shop.rows("view_item")] == ["fruit1", "fruit2", "fruit3"]
    assert len(client.sent()) == 1


def test_what_a_closed_tab_could_not_send_comes_from_the_next_page(client: Client) -> None:
    client.open(batchMs=50)
    with away(client.shop):
        client.do("shopkeeper.viewItem('fruit1'); await shopkeeper.flush(); shopkeeper.viewItem('fruit2');")
        client.browser.get("about:blank")
    client.open()
    client.do("shopkeeper.viewItem('fruit3')")
    until(lambda: len(client.shop.rows("view_item")) == 3, seconds=15)
    until(lambda: not [key for key in client.kept() if "event" in key])
    rows = client.shop.rows("view_item")
    assert {row["item_id"] for row in rows} == {"fruit1", "fruit2", "fruit3"}
    assert len({row["visitor_id"] for row in rows}) == 1


def test_what_another_tab_has_sent_is_not_sent_again(client: Client) -> None:
    client.open(batchMs=NEVER)
    client.do("shopkeeper.viewItem('fruit1'); shopkeeper.viewItem('fruit2');")
    first = min(key for key in client.kept() if "event" in key)
    client.do(f"localStorage.removeItem('{first}'); await shopkeeper.flush();")
    assert [len(events) for events in client.sent()] == [1]


def test_a_tab_that_is_closed_at_once_has_sent_its_events(client: Client) -> None:
    """The browser even has to ask first whether the page may post, and asks when the page is gone."""
    first = client.browser.current_window_handle
    client.browser.switch_to.new_window("tab")
    client.open(batchMs=NEVER)
    client.browser.execute_script(
        "const text = 'x'.repeat(200);"
        "for (let n = 0; n < 60; n++) shopkeeper.viewItem('fruit2', { attributes: { n, text } });"
        "shopkeeper.login('ann'); shopkeeper.addToCart('fruit2');"
    )
    client.browser.close()
    client.browser.switch_to.window(first)
    until(lambda: client.shop.stored("ann", "add_to_cart"))
    until(lambda: len(client.shop.rows("view_item")) == 60)


def test_a_refusal_is_tried_again_when_the_server_says(client: Client) -> None:
    client.open(batchMs=0)
    client.shop.gate.refusals = [(503, {}), (429, {"Retry-After": "2"})]
    client.do("shopkeeper.viewItem('fruit1')")
    until(lambda: len(client.sent()) == 2)
    refused = time.monotonic()
    client.do("shopkeeper.viewItem('fruit2')")
    until(lambda: len(client.sent()) == 3)
    assert time.monotonic() - refused > 1.7
    (first,), (second,), (third, another) = client.sent()
    assert first == second == third
    assert another["item_id"] == "fruit2"
    until(lambda: len(client.shop.rows("view_item")) == 2)


def test_a_wrong_event_is_dropped_with_a_warning_and_costs_no_other(client: Client) -> None:
    client.open(batchMs=NEVER)
    client.do("shopkeeper.track('view_item', { price: -1 }); shopkeeper.viewItem('fruit1');")
    assert client.do("return (await shopkeeper.recommend({ numResults: 3 })).returned") == 3
    assert client.do("return shopkeeper.flush()") is True
    assert [row["item_id"] for row in client.shop.rows("view_item")] == ["fruit1"]
    assert any("rejected an event: price" in message for message in console(client.browser))
    assert len(client.sent()) == 1


def test_a_request_that_is_too_long_is_sent_in_parts(client: Client) -> None:
    client.open(batchMs=NEVER)
    client.shop.gate.refusals = [(413, {})]
    client.do("for (const item of ['fruit1', 'fruit2', 'fruit3']) shopkeeper.viewItem(item)")
    client.do("return shopkeeper.flush()")
    assert [len(events) for events in client.sent()] == [3, 2, 1]
    assert len(client.shop.rows("view_item")) == 3


def test_an_event_that_comes_while_others_are_refused_waits_as_long_as_they_do(client: Client) -> None:
    client.open(batchMs=0)
    client.shop.gate.refusals = [(503, {"Retry-After": "60"})]
    under_way = "await new Promise((resume) => setTimeout(resume, 1));"
    client.do(f"shopkeeper.viewItem('fruit1'); {under_way} shopkeeper.viewItem('fruit2'); {under_way}")
    until(lambda: client.sent())
    client.do("await new Promise((resume) => setTimeout(resume, 300)); shopkeeper.viewItem('fruit3');")
    assert client.do("await new Promise((resume) => setTimeout(resume, 300)); return shopkeeper.pending") == 3
    assert [len(events) for events in client.sent()] == [1]


def test_without_consent_nothing_is_kept_and_no_event_sent(client: Client) -> None:
    client.open(consent=False, userId="ann", batchMs=0)
    assert client.do("return shopkeeper.viewItem('fruit1')") is None
    assert client.do("return (await shopkeeper.recommend({ numResults: 2 })).items.length") == 2
    assert client.shop.gate.bodies("/v1/recommend") == [{"num_results": 2}]
    assert client.kept() == {}
    client.do("shopkeeper.setConsent(true); shopkeeper.viewItem('fruit2');")
    until(lambda: client.shop.stored("ann", "view_item"))
    client.shop.gate.refusals = [(503, {"Retry-After": "60"})]
    client.do("shopkeeper.viewItem('fruit3')")
    until(lambda: len(client.sent()) == 2)
    assert len(client.kept()) == 3
    client.do("shopkeeper.setConsent(false)")
    assert client.kept() == {}
    assert client.do("return [shopkeeper.pending, shopkeeper.visitorId, await shopkeeper.flush()]") == [
        0,
        None,
        True,
    ]
    assert [row["item_id"] for row in client.shop.rows("view_item")] == ["fruit2"]


def test_lists_know_what_was_not_sent_yet(client: Client) -> None:
    client.open(batchMs=NEVER)
    client.do("shopkeeper.viewItem('bread7')")
    home = client.do(
        "return shopkeeper.recommend({ numResults: 5, returnFields: ['title'], excludeItemIds: ['bread7'] })"
    )
    assert home["items"][0]["item_id"].startswith("bread")
    assert home["items"][0]["fields"] == {"title": home["items"][0]["item_id"].capitalize()}
    product, rest = client.do(
        "const product = { surface: 'product', itemIds: ['cheese1'], numResults: 2 };"
        "return (await shopkeeper.page([product, { numResults: 4 }])).slots"
    )
    assert [item["item_id"] for item in product["items"]] == ["cheese2", "cheese3"]
    assert not {"cheese2", "cheese3"} & {item["item_id"] for item in rest["items"]}
    ranked = client.do("return shopkeeper.rank(['fruit3', 'bread7', 'no such item'])")
    assert ranked["items"][0]["item_id"] == "bread7"
    assert ranked["unknown_item_ids"] == ["no such item"]
    (found,) = client.do("return shopkeeper.get('items', { query: 'bread 7' })")["items"]
    assert found["item_id"] == "bread7"
    assert client.sent() == []


def test_errors_say_what_is_wrong(client: Client) -> None:
    client.open()
    wrong = client.do("return shopkeeper.recommend({ surface: 'nowhere' })")
    assert (wrong["name"], wrong["status"]) == ("ShopkeeperError", 422)
    assert wrong["errors"][0]["field"] == "surface"
    assert "nowhere" in wrong["detail"]
    late = client.do("return shopkeeper.recommend({}, { timeoutMs: 0 })")
    assert (late["status"], late["message"]) == (0, "No answer within 0 ms.")
    stopped = client.do(
        "const abort = new AbortController();"
        "const asked = shopkeeper.recommend({}, { signal: abort.signal });"
        "abort.abort(); return asked"
    )
    assert stopped["name"] == "AbortError"
    with away(client.shop):
        gone = client.do("return shopkeeper.recommend()")
        assert (gone["status"], gone["detail"]) == (0, "The server does not answer.")


def test_the_example_of_the_documentation_runs(client: Client) -> None:
    text = JAVASCRIPT_PAGE.read_text(encoding="utf-8")
    ((page, script),) = re.findall(
        r'^```html\n(.*?)<script type="module">(.*?)</script>\n```$', text, re.DOTALL | re.MULTILINE
    )
    client.browser.get(client.storefront)
    client.browser.execute_script(
        "document.body.innerHTML = arguments[0]; const script = document.createElement('script');"
        "script.type = 'module'; script.textContent = arguments[1]; document.body.append(script);",
        page,
        script.replace("https://reco.myshop.com", client.shop.url),
    )
    until(lambda: client.shop.rows("view_item_list"))
    assert [row["item_id"] for row in client.shop.rows("view_item_list")] == ["cheese2", "cheese3", "cheese4"]
    shown = client.do("return document.querySelector('#list').innerText")
    assert shown.split("\n") == [f"Cheese{n}: Bought together with Cheese1" for n in (2, 3, 4)]


CARDS = """
const margins = [10, 2000, 10, 10]; // the third card is below the fold
const cards = margins.map((margin, place) => {
  const card = document.createElement("div");
  card.style = `height: 300px; margin-bottom: ${margin}px`;
  card.innerHTML = `<a href="#">${place}</a><button>+</button>`;
  return card;
});
document.body.replaceChildren(...cards);
const fields = (place) => ({ itemId: `fruit${place}`, surface: "home", position: place + 1 });
window.watch = (recommendationId) =>
  cards.forEach((card, place) => shopkeeper.observe(card, { ...fields(place), recommendationId }));
watch("list-1");
"""


def test_a_card_is_reported_once_it_was_seen_for_a_second_and_when_it_is_clicked(client: Client) -> None:
    client.open(batchMs=50)
    client.do(CARDS)
    until(lambda: client.shop.rows("view_item_list"))
    (seen,) = client.sent()[0]
    assert seen["items"] == [{"item_id": "fruit0", "position": 1}, {"item_id": "fruit1", "position": 2}]
    assert (seen["surface"], seen["recommendation_id"]) == ("home", "list-1")
    client.do("scrollTo(0, 1e6); await new Promise((then) => setTimeout(then, 300)); scrollTo(0, 0);")
    client.do("document.querySelector('button').click(); document.querySelector('a').click();")
    until(lambda: client.shop.rows("select_item"))
    client.do("watch('list-1'); await new Promise((then) => setTimeout(then, 1200)); scrollTo(0, 1e6);")
    until(lambda: len(client.shop.rows("view_item_list")) == 4)
    assert [row["item_id"] for row in client.shop.rows("view_item_list")] == [f"fruit{n}" for n in range(4)]
    (selected,) = client.shop.rows("select_item")
    assert (selected["item_id"], selected["recommendation_id"]) == ("fruit0", "list-1")
    client.do("watch('list-2')")
    until(lambda: len(client.shop.rows("view_item_list")) == 6)


def test_with_a_public_key_a_user_needs_a_token_and_what_lacks_one_waits_for_it(
    browser: webdriver.Chrome, pipeline: Pipeline, storefront: str, tmp_path: Path
) -> None:
    public, _ = create_key(tmp_path, "public", name="pages", now=datetime.now(UTC))
    secret = create_secret(tmp_path).encode()
    now = int(time.time())
    expired, valid = (user_token("ann", secret=secret, expires_at=now + more) for more in (-600, 600))
    with EventStore.open(tmp_path / "keyed.db") as store:
        access = Access.of(tmp_path, ServingConfig(), is_public=True)
        shop = LiveShop(pipeline, store, cors_origins=[storefront], access=access)
        shop.start()
        client = Client(browser, shop, storefront)
        client.open(apiKey=public, userId="ann", userToken=expired, batchMs=0)
        client.do("shopkeeper.viewItem('fruit1')")
        until(lambda: client.do("return shopkeeper.pending") == 0)
        assert len([key for key in client.kept() if "event" in key]) == 1
        assert client.do("return shopkeeper.recommend()")["status"] == 403
        assert store.num_events("ann") == 0
        client.do(f"shopkeeper.login('ann', {{ userToken: '{valid}' }})")
        until(lambda: shop.stored("ann", "view_item"))
        assert client.do("return shopkeeper.recommend({ numResults: 3 })")["returned"] == 3
        assert client.do("return shopkeeper.get('users/ann')")["status"] == 403
        client.do("shopkeeper.logout()")
        assert client.do("return shopkeeper.recommend({ numResults: 3 })")["returned"] == 3, "as a visitor"
        client.open(apiKey="sk_public_unknown", batchMs=0)
        client.do("shopkeeper.viewItem('fruit2')")
        until(lambda: client.do("return shopkeeper.pending") == 0)
        assert len([key for key in client.kept() if "event" in key]) == 1, "it waits for a page with a key"
        client.do("localStorage.clear()")
        browser.get("about:blank")
        shop.stop()


def test_what_waits_is_bounded(client: Client) -> None:
    client.open(batchMs=NEVER, batchSize=1000)
    client.do("for (let n = 0; n < 600; n++) shopkeeper.viewItem('fruit1', { attributes: { n } });")
    assert client.do("return shopkeeper.pending") == 500
    assert len([key for key in client.kept() if "event" in key]) == 500
    client.do("return shopkeeper.flush()")
    numbers = [row["attributes"] for row in client.shop.rows("view_item")]
    assert (len(numbers), numbers[0], numbers[-1]) == (500, '{"n":100}', '{"n":599}')
