// The shop page. It keeps no state of its own: after every event it reads everything from the server again.
import { addArrows, card, scrolling, showCards, showSkeletons } from "./cards.js";
import { $, ago, button, count, DAY, make, money, price, priceOf, shop, titleOf } from "./page.js";
import { levelsOf, picture } from "./pictures.js";

const ROWS = ["product", "buy_again", "home"]; // an earlier row keeps a product that a later one would show, too
const CARDS = 12;
const state = { users: [], userKey: null, opened: null, refreshes: 0, recommended: {} };
const railOf = (row) => $(row).querySelector(".rail");

// --- the server ---

async function call(path, body) {
  let response;
  try {
    const sent = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    response = await fetch(`/v1/${path}`, sent);
  } catch {
    throw new Error("The shop's server does not answer. Is it still running?");
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok || !answer) throw new Error(answer?.detail ?? `The server answered with status ${response.status}.`);
  return answer;
}

// Run an action; when it fails, show the error and offer a retry.
async function attempt(action) {
  try {
    await action();
    $("banner").hidden = true;
  } catch (error) {
    $("problem").textContent = error.message;
    $("retry").onclick = () => attempt(action);
    $("banner").hidden = false;
  }
}

const isVisitor = (userKey) => userKey.startsWith("visitor:");
const userFields = () => (isVisitor(state.userKey) ? { visitor_id: state.userKey.slice(8) } : { user_id: state.userKey });

// The event id is made once, so that a retry is not counted twice.
async function send(type, items, status, more = {}) {
  const lines = items.map((item) => ({ item_id: item.item_id, quantity: item.quantity, price: priceOf(item.fields) }));
  const event = { event_type: type, event_id: crypto.randomUUID(), ...userFields(), ...more, items: lines };
  await attempt(async () => {
    const { rejected } = await call("events", { events: [event] });
    if (rejected.length) throw new Error(`The server rejected this event: ${rejected[0].field} ${rejected[0].message}.`);
    $("status").textContent = status;
    await refresh();
  });
}

const view = (item, origin) => send("view_item", [item], "", origin);
const addToCart = (item, origin) => send("add_to_cart", [{ ...item, quantity: 1 }], `Added to the cart: ${titleOf(item)}`, origin);
const remove = (item) => send("remove_from_cart", [item], `Removed from the cart: ${titleOf(item)}`);
const buy = (cart) => send("purchase", cart, `Bought: ${count(cart.length, "product", "products")}`, { transaction_id: crypto.randomUUID() });

// --- reading everything from the server ---

async function refresh() {
  const refreshNumber = ++state.refreshes;
  const rows = ROWS.filter((row) => shop.surfaces.includes(row) && (row !== "product" || state.opened));
  for (const row of rows) railOf(row).setAttribute("aria-busy", "true");
  const [user, answers] = await Promise.all([call(`users/${encodeURIComponent(state.userKey)}?limit=300`), recommendAll(rows)]);
  if (refreshNumber !== state.refreshes) return; // a later refresh has started
  showCart(cartOf(user.events));
  const purchases = user.events.filter((event) => event.event_type === "purchase");
  showPurchases(purchases);
  const noneAgain = purchases.length ? "What there is to buy again is on this page or in the cart already." : "Nothing to buy again yet. Purchases appear here.";
  rows.forEach((row, index) => showAnswer(row, answers[index], row === "buy_again" ? noneAgain : "Nothing to show here."));
  showStrip(rows, answers);
}

// The answers of the rows, one after the other: no product stands twice on the page.
async function recommendAll(rows) {
  const shown = state.opened ? [state.opened.item_id] : [];
  const answers = [];
  for (const row of rows) {
    answers.push(await recommend(row, shown));
    shown.push(...answers.at(-1).items.map((item) => item.item_id));
  }
  return answers;
}

async function recommend(surface, shown) {
  const wanted = ["title", "product_type", "brand", "size", "price", "sale_price"];
  const started = performance.now();
  const answer = await call("recommend", {
    ...userFields(), surface, num_results: CARDS, item_ids: surface === "product" ? [state.opened.item_id] : [], exclude_item_ids: shown,
    return_fields: wanted.filter((name) => shop.columns.includes(name)),
  });
  return { ...answer, milliseconds: performance.now() - started };
}

function showAnswer(row, answer, empty) {
  const key = `${state.userKey} ${row === "product" ? state.opened.item_id : ""}`;
  const before = state.recommended[row];
  const shown = before?.key === key ? new Set(before.ids) : null;
  const cards = answer.items.map((item) => {
    const origin = { surface: row, position: item.rank, recommendation_id: answer.recommendation_id };
    return cardOf(item, origin, { reason: reasonOf(item), isNew: shown !== null && !shown.has(item.item_id) });
  });
  state.recommended[row] = { key, ids: answer.items.map((item) => item.item_id) };
  showCards(railOf(row), cards, empty);
  const isPopular = answer.items.length > 0 && answer.items.every((item) => ["popular", "long_tail"].includes(item.reasons[0]?.code));
  if (row === "home") $(row).querySelector(".note").textContent = isPopular ? "Popular items, until we know you better" : "";
}

const cardOf = (item, origin, more = {}) =>
  card(item, {
    address: addressOf(state.userKey, item.item_id), onOpen: () => openItem(item, origin), onAdd: () => addToCart(item, origin), ...more,
  });

// On a product's page every card goes with that product: prefer another reason.
function reasonOf(item) {
  const other = item.reasons.find((reason) => !state.opened || reason.code !== "goes_with" || reason.item_id !== state.opened.item_id);
  return (other ?? item.reasons[0])?.text ?? "";
}

// --- cart and purchases, from the events that the server returns ---

function itemOf(event) {
  const price = event.catalogue_price ?? event.price; // what it costs now, not what it was when it was put into the cart
  return { item_id: event.item_id, fields: { title: event.title, product_type: event.product_type, price } };
}

function cartOf(events) {
  const cart = new Map();
  const recent = events.filter((event) => Date.now() - Date.parse(event.timestamp) < DAY);
  for (const event of recent.toReversed()) {
    const kept = cart.get(event.item_id)?.quantity ?? 0;
    if (event.event_type === "add_to_cart") cart.set(event.item_id, { ...itemOf(event), quantity: kept + (event.quantity ?? 1) });
    if (["remove_from_cart", "purchase"].includes(event.event_type)) cart.delete(event.item_id);
  }
  return [...cart.values()];
}

function line(item, amount, ...more) {
  const name = make("span", "name", titleOf(item));
  name.title = titleOf(item);
  return make("li", "", name, make("span", "amount", amount), ...more);
}

function showCart(cart) {
  const lines = cart.map((item) => {
    const many = item.quantity === 1 ? "" : `${Number(item.quantity.toFixed(3))} × `;
    const out = button("round", `Remove ${titleOf(item)} from the cart`, "×", () => remove(item));
    return line(item, many + money(item.fields.price), out);
  });
  $("cart").replaceChildren(...(lines.length ? lines : [make("li", "empty", "Your cart is empty.")]));
  $("to-cart").textContent = cart.length ? `Cart · ${cart.length}` : "Cart";
  const isPriced = cart.every((item) => item.fields.price !== null);
  $("total").textContent = money(isPriced ? cart.reduce((sum, item) => sum + item.quantity * item.fields.price, 0) : null);
  $("buy").disabled = cart.length === 0;
  $("buy").onclick = () => buy(cart);
}

function showPurchases(purchases) {
  const baskets = Map.groupBy(purchases, (event) => event.transaction_id ?? event.timestamp);
  const shown = [...baskets.values()].slice(0, 3).flatMap((basket) => {
    const heading = make("h3", "when", `${ago(basket[0].timestamp)} · ${count(basket.length, "product", "products")}`);
    const lines = basket.slice(0, 6).map((event) => line(itemOf(event), money(event.price)));
    const rest = basket.length > 6 ? make("p", "small", `and ${basket.length - 6} more`) : null;
    return [heading, make("ul", "lines", ...lines), ...(rest ? [rest] : [])];
  });
  $("purchases").replaceChildren(...(shown.length ? shown : [make("p", "empty", "Nothing yet.")]));
}

function showStrip(rows, answers) {
  const bundle = answers[0].bundle;
  const names = { home: "recommended", buy_again: "buy again", product: "goes with" };
  $("bundle").textContent = `Bundle ${bundle.name}, version ${bundle.version.slice(0, 12)}`;
  $("latency").textContent = `Answered in ${rows.map((row, place) => `${answers[place].milliseconds.toFixed(0)} ms (${names[row]})`).join(", ")}`;
  const remarks = rows.flatMap((row, place) =>
    [answers[place].fallback_used, answers[place].shortfall_reason].filter(Boolean).map((remark) => `${names[row]} – ${remark}`));
  $("remarks").textContent = $("remarks").title = remarks.join("; ");
}

// --- navigation: the user and the open product are in the address ---

const addressOf = (user, item = null) => `?${new URLSearchParams(item === null ? { user } : { user, item })}`;

function go(userKey, item = null) {
  history.pushState(null, "", addressOf(userKey, item?.item_id));
  show(userKey, item);
}

function show(userKey, item) {
  if (item) closeSearch();
  if (userKey !== state.userKey) for (const row of ROWS) showSkeletons(railOf(row));
  if (item && item.item_id !== state.opened?.item_id) showSkeletons(railOf("product"));
  Object.assign(state, { userKey, opened: item });
  $("user-name").textContent = nameOf(userKey);
  $("product").hidden = !item;
  if (item) showSheet(item);
}

function showSheet(item) {
  const { brand, size } = item.fields;
  const add = button("primary", "", "Add to cart", () => addToCart(item, { surface: "product_page" }));
  const facts = [brand && `Brand: ${brand}`, size && `Size: ${size}`, `No. ${item.item_id}`].filter(Boolean).join(" · ");
  const about = make("div", "about", make("p", "small", levelsOf(item.fields).filter((level) => !titleOf(item).startsWith(level)).join(" › ")), make("h2", "", titleOf(item)),
    make("p", "small", facts), price(item.fields), add);
  const close = button("round", "Close the product", "×", () => { go(state.userKey); attempt(refresh); });
  $("sheet").replaceChildren(picture(item.fields), about, close);
  $("product-title").textContent = `Goes with ${titleOf(item)}`;
}

async function openItem(item, origin) {
  go(state.userKey, item);
  $("sheet").scrollIntoView({ block: "start", behavior: scrolling() });
  $("sheet").focus({ preventScroll: true });
  await view(item, origin);
}

async function follow() {
  const parameters = new URLSearchParams(location.search);
  const userKey = parameters.get("user") || state.users[0]?.id || newVisitor();
  const item = parameters.get("item");
  const opened = item && (await call(`items/${encodeURIComponent(item)}`).catch(() => null));
  show(userKey, opened);
  await refresh();
  if (item && !opened) $("status").textContent = "That product is not in the shop any more.";
}

// --- the user who is shopping ---

const newVisitor = () => `visitor:${crypto.randomUUID()}`;
const nameOf = (userKey) => (isVisitor(userKey) ? `visitor ${userKey.slice(8, 12)}` : userKey);

function showUsers() {
  const typed = $("user-search").value.trim().toLowerCase();
  const found = state.users.filter((user) => nameOf(user.id).toLowerCase().includes(typed));
  const lines = found.map((user) => {
    const activity = `${count(user.num_events, "event", "events")}, ${ago(user.latest)}`;
    const made = button("user", "", make("strong", "", nameOf(user.id)), () => pick(user.id));
    made.append(make("span", "", activity));
    made.setAttribute("aria-current", String(user.id === state.userKey));
    return make("li", "", made);
  });
  const none = typed ? "Not a recently active user. Press Enter to shop as this id." : "There are no users with events yet.";
  $("users").replaceChildren(...(lines.length ? lines : [make("li", "small", none)]));
}

async function openPicker() {
  state.users = (await call("shop/users?limit=500")).users;
  $("user-search").value = "";
  showUsers();
  $("picker").showModal();
}

function pick(userKey) {
  $("picker").close();
  go(userKey);
  attempt(refresh);
}

// --- searching the catalogue ---

function closeSearch() {
  $("query").value = "";
  $("found").hidden = true;
}

async function search() {
  const typed = $("query").value.trim();
  if (!typed) return closeSearch();
  const { items } = await call(`items?limit=24&query=${encodeURIComponent(typed)}`);
  if (typed !== $("query").value.trim()) return;
  $("found-title").textContent = `Results for “${typed}”`;
  $("found").hidden = false;
  showCards(railOf("found"), items.map((item) => cardOf(item, { surface: "search", search_term: typed })), "Nothing found.");
}

// --- start ---

async function start() {
  const [found, { users }] = await Promise.all([call("shop"), call("shop/users?limit=500")]);
  Object.assign(shop, found);
  state.users = users;
  await follow();
}

let typing;
$("query").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => attempt(search), 200); });
$("search").addEventListener("submit", (event) => { event.preventDefault(); attempt(search); });
$("brand").addEventListener("click", (event) => { event.preventDefault(); closeSearch(); go(state.userKey); attempt(refresh); });
$("user").addEventListener("click", () => attempt(openPicker));
$("user-search").addEventListener("input", showUsers);
$("pick").addEventListener("submit", (event) => { event.preventDefault(); if ($("user-search").value.trim()) pick($("user-search").value.trim()); });
$("new-visitor").addEventListener("click", () => pick(newVisitor()));
$("close-picker").addEventListener("click", () => $("picker").close());
window.addEventListener("popstate", () => attempt(follow));
$("to-cart").addEventListener("click", () => $("cart-title").scrollIntoView({ block: "center", behavior: scrolling() }));
for (const row of ROWS) showSkeletons(railOf(row));
for (const row of document.querySelectorAll(".row")) addArrows(row);
attempt(start);
