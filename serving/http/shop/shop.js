// The shop page. It keeps nothing of its own: after everything that is done, it reads cart and lists from the server again.
import { cartOf, showCart, showPurchases, thanksFor } from "./cart.js";
import { card, scrolling } from "./cards.js";
import { askForRows, NAMES, OF_PRODUCT, prepareRows, showRow, showWaiting } from "./lists.js";
import { $, priceOf, shop, titleOf } from "./page.js";
import { preparePanel, showCall } from "./panel.js";
import { become, newVisitor, preparePicker, readRecentUsers } from "./person.js";
import { showProduct } from "./product.js";
import { closeSearch, showCategories, showFound } from "./search.js";
import { attempt, send, shopkeeper, whenServerIsBack } from "./server.js";

const HISTORY = 500; // events of which cart and purchases are made
const view = { who: null, opened: null, query: "", category: "" }; // what the address says
let refreshes = 0;

// --- what a person does ---

/** Record it, send it, and show what it changed. */
async function act(record, said, place = "status") {
  $("thanks").textContent = "";
  record();
  await attempt(async () => {
    await send();
    $(place).textContent = said;
    await refresh();
  });
}

const lineOf = ({ item_id, quantity, fields }) => ({ itemId: item_id, quantity, price: priceOf(fields) });

const addToCart = (item, origin) =>
  act(() => shopkeeper.addToCart(item.item_id, { price: priceOf(item.fields), ...origin }), `Added to the cart: ${titleOf(item)}`);

const removeFromCart = (item) => act(() => shopkeeper.removeFromCart(item.item_id, lineOf(item)), `Removed from the cart: ${titleOf(item)}`);

const buy = (cart) =>
  act(() => shopkeeper.purchase({ transactionId: crypto.randomUUID(), items: cart.map(lineOf) }), thanksFor(cart), "thanks");

async function open(item, origin) {
  go({ opened: item });
  $("sheet").scrollIntoView({ block: "start", behavior: scrolling() });
  $("sheet").focus({ preventScroll: true });
  await act(() => shopkeeper.viewItem(item.item_id, { price: priceOf(item.fields), ...origin }), "");
}

// --- what the server says ---

async function refresh() {
  const number = ++refreshes;
  const { who, opened } = view;
  const user = await shopkeeper.get(`users/${encodeURIComponent(who)}`, { limit: HISTORY });
  const cart = cartOf(user.events);
  const { rows, milliseconds } = await askForRows(opened, { cart, explain: $("panel").open });
  if (number !== refreshes) return; // a later refresh has started
  showCart(cart, { onRemove: removeFromCart, onBuy: buy });
  const purchases = user.events.filter((event) => event.event_type === "purchase");
  showPurchases(purchases);
  const noneAgain = purchases.length ? "What there is to buy again is on this page or in the cart already." : "Nothing to buy again yet. Purchases appear here.";
  for (const row of rows) showRow(row, { who, opened, cardOf, empty: row.row === "buy_again" ? noneAgain : "Nothing to show here." });
  const lists = Object.entries(NAMES).flatMap(([row, name]) => rows.filter((one) => one.row === row).map(({ answer }) => ({ name, answer })));
  showCall({ what: "Page answered", milliseconds, lists });
}

function cardOf(item, origin, more = {}) {
  const made = card(item, { address: addressOf({ opened: item }), onOpen: () => open(item, origin), onAdd: () => addToCart(item, origin), ...more });
  shopkeeper.observe(made, { itemId: item.item_id, ...origin });
  return made;
}

async function search() {
  if (!view.query && !view.category) return closeSearch();
  const order = await showFound(view, { cardOf, onCategory });
  if (order) showCall({ what: "Search ordered", milliseconds: order.milliseconds, lists: [{ name: "Search", answer: order.answer }] });
}

async function refreshAll() {
  await refresh();
  await search();
}

// --- where the person is: what the address says ---

function addressOf({ opened = null, query = "", category = "" }) {
  const parts = { user: view.who, item: opened?.item_id, query, category };
  return `?${new URLSearchParams(Object.entries(parts).filter(([, part]) => part))}`;
}

function go(next, { isSamePlace = false } = {}) {
  history[isSamePlace ? "replaceState" : "pushState"](null, "", addressOf(next));
  show(next);
}

function show({ opened = null, query = "", category = "" }) {
  if (opened && opened.item_id !== view.opened?.item_id) showWaiting(OF_PRODUCT);
  Object.assign(view, { opened, query, category });
  $("notice").hidden = true;
  if (!query && !category) closeSearch();
  $("product").hidden = !opened;
  $("similar").hidden = !opened || !shop.surfaces.includes("similar");
  if (opened) showProduct(opened, { onAdd: () => addToCart(opened, { surface: "product_page" }), onClose: goHome, onCategory });
}

function shopAs(who) {
  if (who === view.who) return;
  showWaiting();
  $("thanks").textContent = "";
  view.who = who;
  become(who);
}

function goHome() {
  go({});
  scrollTo(0, 0);
  attempt(refresh);
}

function onCategory(category) {
  if (!view.query && !category) return void goHome();
  go({ query: view.query, category });
  attempt(search);
  scrollTo(0, 0);
}

async function follow() {
  const parameters = new URLSearchParams(location.search);
  const [item, query, category] = ["item", "query", "category"].map((name) => parameters.get(name) ?? "");
  shopAs(parameters.get("user") || (await readRecentUsers())[0]?.id || newVisitor());
  const opened = item ? await read(item) : null;
  if (item && !opened) history.replaceState(null, "", addressOf({ query, category }));
  show({ opened, query, category });
  if (item && !opened) showGone(item);
  $("query").value = query;
  await refreshAll();
}

/** A product of the catalogue; null where there is none of this id. */
async function read(itemId) {
  try {
    return await shopkeeper.get(`items/${encodeURIComponent(itemId)}`);
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

function showGone(itemId) {
  $("notice").hidden = false;
  $("notice").textContent = `This product is gone: the shop has no product no. ${itemId} now.`;
}

// --- start ---

let typing;
let settling;
function type() {
  clearTimeout(typing);
  clearTimeout(settling);
  typing = setTimeout(() => {
    const query = $("query").value.trim();
    if (query === view.query) return;
    if (!query && !view.category) return void goHome();
    go({ query, category: view.category }, { isSamePlace: Boolean(view.query) });
    attempt(search);
    if (query) settling = setTimeout(() => shopkeeper.search(query), 1000);
  }, 200);
}

async function start() {
  Object.assign(shop, await shopkeeper.get("shop"));
  await follow();
  await showCategories(onCategory);
}

prepareRows();
preparePanel({ onOpen: () => attempt(refreshAll) });
preparePicker({ current: () => view.who, onPick: (who) => { shopAs(who); goHome(); } });
whenServerIsBack(() => attempt(refresh));
$("query").addEventListener("input", type);
$("search").addEventListener("submit", (event) => { event.preventDefault(); type(); });
$("brand").addEventListener("click", (event) => { event.preventDefault(); goHome(); });
$("to-cart").addEventListener("click", () => $("cart-title").scrollIntoView({ block: "center", behavior: scrolling() }));
window.addEventListener("popstate", () => attempt(follow));
attempt(start);
