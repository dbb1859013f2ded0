// The shop page. The server is the only memory: after every event the page asks for everything again.
import { addArrows, card, scrolling, showCards, showSkeletons } from "./cards.js";
import { $, ago, button, count, DAY, make, money, price, priceOf, shop, titleOf } from "./page.js";
import { levelsOf, picture } from "./pictures.js";

const ROWS = ["home", "buy_again", "product"];
const CARDS = 12;
const state = { people: [], who: null, opened: null, turn: 0, recommended: {} };
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

// Do something, and where it fails say so and offer to do it again.
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

const whoFields = () => (state.who.startsWith("visitor:") ? { visitor_id: state.who.slice(8) } : { user_id: state.who });

// An event has its id from the first try on, so that a second try counts once.
async function send(type, items, said, more = {}) {
  const lines = items.map((item) => ({ item_id: item.item_id, quantity: item.quantity, price: priceOf(item.fields) }));
  const event = { event_type: type, event_id: crypto.randomUUID(), ...whoFields(), ...more, items: lines };
  await attempt(async () => {
    const { rejected } = await call("events", { events: [event] });
    if (rejected.length) throw new Error(`The shop refused this: ${rejected[0].field} ${rejected[0].message}.`);
    $("said").textContent = said;
    await refresh();
  });
}

const view = (item, origin) => send("view_item", [item], "", origin);
const addToCart = (item, origin) => send("add_to_cart", [{ ...item, quantity: 1 }], `In the cart: ${titleOf(item)}`, origin);
const remove = (item) => send("remove_from_cart", [item], `Taken out of the cart: ${titleOf(item)}`);
const buy = (cart) => send("purchase", cart, `Bought: ${count(cart.length, "product", "products")}`, { transaction_id: crypto.randomUUID() });

// --- asking for everything again ---

async function refresh() {
  const turn = ++state.turn;
  const rows = ROWS.filter((row) => shop.surfaces.includes(row) && (row !== "product" || state.opened));
  for (const row of rows) railOf(row).setAttribute("aria-busy", "true");
  const [user, ...answers] = await Promise.all([call(`users/${encodeURIComponent(state.who)}?limit=300`), ...rows.map(recommend)]);
  if (turn !== state.turn) return; // something newer is on its way
  showCart(cartOf(user.events));
  showLately(user.events.filter((event) => event.event_type === "purchase"));
  rows.forEach((row, index) => showAnswer(row, answers[index]));
  showStrip(rows, answers);
}

async function recommend(surface) {
  const wanted = ["title", "product_type", "brand", "size", "price", "sale_price"];
  const started = performance.now();
  const answer = await call("recommend", {
    ...whoFields(), surface, num_results: CARDS, item_ids: surface === "product" ? [state.opened.item_id] : [],
    return_fields: wanted.filter((name) => shop.columns.includes(name)),
  });
  return { ...answer, milliseconds: performance.now() - started };
}

function showAnswer(row, answer) {
  const key = `${state.who} ${row === "product" ? state.opened.item_id : ""}`;
  const before = state.recommended[row];
  const shown = before?.key === key ? new Set(before.ids) : null;
  const cards = answer.items.map((item) => {
    const origin = { surface: row, position: item.rank, recommendation_id: answer.recommendation_id };
    return cardOf(item, origin, { reason: reasonOf(item), isNew: shown !== null && !shown.has(item.item_id) });
  });
  state.recommended[row] = { key, ids: answer.items.map((item) => item.item_id) };
  const empty = row === "buy_again" ? "Nothing to buy again yet. What is bought shows up here." : "Nothing to show here.";
  showCards(railOf(row), cards, empty);
  const isPopular = answer.fallback_used?.includes("nothing is known");
  if (row === "home") $(row).querySelector(".note").textContent = isPopular ? "What is popular, until we know you better" : "";
}

const cardOf = (item, origin, more = {}) =>
  card(item, {
    address: addressOf(state.who, item.item_id), onOpen: () => openItem(item, origin), onAdd: () => addToCart(item, origin), ...more,
  });

// On the page of a product every card goes with it: say something else where there is something.
function reasonOf(item) {
  const other = item.reasons.find((reason) => !state.opened || reason.code !== "goes_with" || reason.item_id !== state.opened.item_id);
  return (other ?? item.reasons[0])?.text ?? "";
}

// --- cart and purchases, read from the events that the server has ---

function itemOf(event) {
  return { item_id: event.item_id, fields: { title: event.title, product_type: event.product_type, price: event.price } };
}

function cartOf(events) {
  const cart = new Map();
  const lately = events.filter((event) => Date.now() - Date.parse(event.timestamp) < DAY);
  for (const event of lately.toReversed()) {
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
    const many = item.quantity > 1 ? `${item.quantity} × ` : "";
    const out = button("round", `Remove ${titleOf(item)} from the cart`, "×", () => remove(item));
    return line(item, many + money(item.fields.price), out);
  });
  $("cart").replaceChildren(...(lines.length ? lines : [make("li", "empty", "Your cart is empty.")]));
  $("to-cart").textContent = cart.length ? `Cart · ${cart.length}` : "Cart";
  $("total").textContent = money(cart.reduce((sum, item) => sum + item.quantity * (item.fields.price ?? 0), 0));
  $("buy").disabled = cart.length === 0;
  $("buy").onclick = () => buy(cart);
}

function showLately(purchases) {
  const baskets = Map.groupBy(purchases, (event) => event.transaction_id ?? event.timestamp);
  const shown = [...baskets.values()].slice(0, 3).flatMap((basket) => {
    const heading = make("h3", "when", `${ago(basket[0].timestamp)} · ${count(basket.length, "product", "products")}`);
    const lines = basket.slice(0, 6).map((event) => line(itemOf(event), money(event.price)));
    const rest = basket.length > 6 ? make("p", "small", `and ${basket.length - 6} more`) : null;
    return [heading, make("ul", "lines", ...lines), ...(rest ? [rest] : [])];
  });
  $("lately").replaceChildren(...(shown.length ? shown : [make("p", "empty", "Nothing yet.")]));
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

// --- where we are: who, and which product is open, both in the address ---

const addressOf = (who, item = null) => `?${new URLSearchParams(item === null ? { who } : { who, item })}`;

function go(who, item = null) {
  history.pushState(null, "", addressOf(who, item?.item_id));
  show(who, item);
}

function show(who, item) {
  if (who !== state.who) for (const row of ROWS) showSkeletons(railOf(row));
  if (item && item.item_id !== state.opened?.item_id) showSkeletons(railOf("product"));
  Object.assign(state, { who, opened: item });
  $("who-name").textContent = nameOf(who);
  $("product").hidden = !item;
  if (item) showSheet(item);
}

function showSheet(item) {
  const { brand, size } = item.fields;
  const add = button("primary", "", "Add to cart", () => addToCart(item, { surface: "product_page" }));
  const facts = [brand && `Brand: ${brand}`, size && `Size: ${size}`, `No. ${item.item_id}`].filter(Boolean).join(" · ");
  const about = make("div", "about", make("p", "small", levelsOf(item.fields).filter((level) => !titleOf(item).startsWith(level)).join(" › ")), make("h2", "", titleOf(item)),
    make("p", "small", facts), price(item.fields), add);
  const close = button("round", "Close the product", "×", () => { go(state.who); attempt(refresh); });
  $("sheet").replaceChildren(picture(item.fields), about, close);
  $("product-title").textContent = `Goes with ${titleOf(item)}`;
}

async function openItem(item, origin) {
  go(state.who, item);
  $("sheet").scrollIntoView({ block: "start", behavior: scrolling() });
  $("sheet").focus({ preventScroll: true });
  await view(item, origin);
}

async function follow() {
  const place = new URLSearchParams(location.search);
  const who = place.get("who") || state.people[0]?.id || newVisitor();
  const item = place.get("item");
  const opened = item && (await call(`items/${encodeURIComponent(item)}`).catch(() => null));
  show(who, opened);
  await refresh();
  if (item && !opened) $("said").textContent = "That product is not in the shop any more.";
}

// --- who is shopping ---

const newVisitor = () => `visitor:${crypto.randomUUID()}`;
const nameOf = (who) => (who.startsWith("visitor:") ? `visitor ${who.slice(8, 12)}` : who);

function showPeople() {
  const typed = $("person").value.trim().toLowerCase();
  const found = state.people.filter((person) => nameOf(person.id).toLowerCase().includes(typed));
  const lines = found.map((person) => {
    const did = `${count(person.num_events, "event", "events")}, ${ago(person.latest)}`;
    const made = button("person", "", make("strong", "", nameOf(person.id)), () => pick(person.id));
    made.append(make("span", "", did));
    made.setAttribute("aria-current", String(person.id === state.who));
    return make("li", "", made);
  });
  const none = typed ? "Not among the latest. Press Enter to shop as this id." : "Nobody has done anything yet.";
  $("people").replaceChildren(...(lines.length ? lines : [make("li", "small", none)]));
}

async function openPicker() {
  state.people = (await call("shop/people?limit=500")).people;
  $("person").value = "";
  showPeople();
  $("picker").showModal();
}

function pick(who) {
  $("picker").close();
  go(who);
  attempt(refresh);
}

// --- searching the catalogue ---

async function search() {
  const typed = $("query").value.trim();
  if (!typed) return void ($("found").hidden = true);
  const { items } = await call(`items?limit=24&query=${encodeURIComponent(typed)}`);
  if (typed !== $("query").value.trim()) return;
  $("found-title").textContent = `Found for “${typed}”`;
  $("found").hidden = false;
  showCards(railOf("found"), items.map((item) => cardOf(item, { surface: "search", search_term: typed })), "Nothing found.");
}

// --- begin ---

async function start() {
  const [found, { people }] = await Promise.all([call("shop"), call("shop/people?limit=500")]);
  Object.assign(shop, found);
  state.people = people;
  await follow();
}

let typing;
$("query").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => attempt(search), 200); });
$("search").addEventListener("submit", (event) => { event.preventDefault(); attempt(search); });
$("brand").addEventListener("click", (event) => { event.preventDefault(); $("query").value = ""; attempt(search); go(state.who); attempt(refresh); });
$("who").addEventListener("click", () => attempt(openPicker));
$("person").addEventListener("input", showPeople);
$("pick").addEventListener("submit", (event) => { event.preventDefault(); if ($("person").value.trim()) pick($("person").value.trim()); });
$("stranger").addEventListener("click", () => pick(newVisitor()));
$("close-picker").addEventListener("click", () => $("picker").close());
window.addEventListener("popstate", () => attempt(follow));
$("to-cart").addEventListener("click", () => $("cart-title").scrollIntoView({ block: "center", behavior: scrolling() }));
for (const row of ROWS) showSkeletons(railOf(row));
for (const row of document.querySelectorAll(".row")) addArrows(row);
attempt(start);
