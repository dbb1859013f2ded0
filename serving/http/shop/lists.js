// The lists of the page, asked for in one call: no product stands twice.
import { addArrows, showCards, showSkeletons } from "./cards.js";
import { $, shop } from "./page.js";
import { shopkeeper, timed } from "./server.js";

export const OF_PRODUCT = ["similar", "product"]; // rows of the product whose page it is; what goes with it is filled up, what is similar is not
const ROWS = [...OF_PRODUCT, "buy_again", "cart", "home"]; // an earlier row keeps a product that a later one would show, too
const HOT = { trending: "trending", new: "new_arrivals", deals: "deals" }; // rows of the home page, there where they have something → its source
const CARDS = 12;
const FIELDS = ["title", "product_type", "brand", "size", "price", "sale_price", "availability"];
const before = {}; // row → what it showed, and to whom
const sectionOf = (row) => $(row === "cart" ? "with-cart" : row); // #cart is the cart itself
const railOf = (row) => sectionOf(row).querySelector(".rail");

export const NAMES = { product: "Goes with the product", similar: "Similar to the product", cart: "Goes with your cart", home: "Recommended for you", buy_again: "Buy again", trending: "Trending", new: "New in the shop", deals: "Deals" }; // as on the page

export function prepareRows() {
  for (const row of [...ROWS, ...Object.keys(HOT)]) addArrows(sectionOf(row));
  showWaiting(ROWS);
}

export function showWaiting(rows = ROWS) {
  for (const row of rows) showSkeletons(railOf(row));
}

/** The rows of this shop, with their answers. `opened`: the product whose page it is, or null. `explain`: each with its trace. */
export async function askForRows(opened, { cart, explain }) {
  $("with-cart").hidden = cart.length === 0 || !shop.surfaces.includes("cart");
  const isThere = (row) => shop.surfaces.includes(row) && (opened || !OF_PRODUCT.includes(row)) && (row !== "cart" || cart.length);
  const rows = (opened ? ROWS : [...ROWS, ...Object.keys(HOT)]).filter(isThere);
  if (opened) for (const row of Object.keys(HOT)) $(row).hidden = true;
  for (const row of rows) railOf(row).setAttribute("aria-busy", "true");
  const slots = rows.map((surface) => ({
    surface,
    numResults: CARDS,
    itemIds: OF_PRODUCT.includes(surface) ? [opened.item_id] : [],
    excludeItemIds: opened ? [opened.item_id] : [],
    returnFields: FIELDS.filter((name) => shop.columns.includes(name)),
    explain,
  }));
  const { answer, milliseconds } = await timed(shopkeeper.page(slots));
  return { rows: rows.map((row, place) => ({ row, answer: answer.slots[place] })), milliseconds };
}

/** `who` and `opened` tell whether a row shows what it showed before: then what is new in it is marked. */
export function showRow({ row, answer }, { who, opened, cardOf, empty }) {
  if (HOT[row]) {
    answer = { ...answer, items: answer.items.filter((item) => item.source === HOT[row]) }; // without what fills it up
    $(row).hidden = !answer.items.length;
  }
  const key = `${who} ${OF_PRODUCT.includes(row) ? opened.item_id : ""}`;
  const shown = before[row]?.key === key ? before[row].ids : null;
  const cards = answer.items.map((item) => {
    const origin = { surface: row, position: item.rank, recommendationId: answer.recommendation_id };
    return cardOf(item, origin, { reason: reasonOf(item, opened), isNew: shown !== null && !shown.has(item.item_id) });
  });
  before[row] = { key, ids: new Set(answer.items.map((item) => item.item_id)) };
  showCards(railOf(row), cards, empty);
  if (row === "similar") $(row).hidden = cards.length === 0;
  if (row === "home") $(row).querySelector(".note").textContent = isPopular(answer) ? "Popular items, until we know you better" : "";
}

const isPopular = ({ items }) => items.length > 0 && items.every((item) => ["popular", "long_tail"].includes(item.reasons[0]?.code));

/** On a product's page the title of a row says what its cards have to do with that product: prefer another reason. */
function reasonOf(item, opened) {
  const other = item.reasons.find((reason) => !opened || reason.item_id !== opened.item_id);
  return (other ?? item.reasons[0])?.text ?? "";
}
