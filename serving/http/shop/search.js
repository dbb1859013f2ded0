// A search of the catalogue or a category of it, in the order in which this person would want what is found.
import { showCards, showSkeletons } from "./cards.js";
import { $, button, count, make } from "./page.js";
import { levelsOf } from "./pictures.js";
import { shopkeeper, timed } from "./server.js";

const FOUND = 200; // the best-selling matches
const SHOWN = 48; // the best of them for this person
const rail = () => $("found").querySelector(".rail");
let searches = 0;

const isIn = (item, category) => !category || `${item.fields.product_type ?? ""} > `.startsWith(`${category} > `);

/** Show what is found; returns how it was ordered, or null where a later search has begun. */
export async function showFound({ query, category }, { cardOf, onCategory }) {
  const number = ++searches;
  $("found").hidden = false;
  showTitle(query, category);
  if (!rail().children.length) showSkeletons(rail());
  const words = [query, ...category.split(" > ")].join(" ").trim();
  const { items } = await shopkeeper.get("items", { query: words.slice(0, 200), limit: FOUND + 1 });
  const found = items.filter((item) => isIn(item, category)).slice(0, FOUND);
  const order = found.length ? await timed(shopkeeper.rank(found.map((item) => item.item_id))) : null;
  if (number !== searches) return null;
  const narrower = subcategories(found, category); // in the order of the catalogue, the same for everybody
  const rankOf = new Map(order?.answer.items.map((item) => [item.item_id, item.rank]));
  found.sort((one, other) => rankOf.get(one.item_id) - rankOf.get(other.item_id));
  const cards = found.slice(0, SHOWN).map((item, place) => cardOf(item, { surface: category ? "category" : "search", position: place + 1, searchTerm: query || category }));
  showCards(rail(), cards, "Nothing found. Try other words, or take something from below.");
  markCategory(category);
  showChips($("found-categories"), narrower, { current: category, onCategory });
  $("found").querySelector(".note").textContent = noteOn(found, { isCut: items.length > FOUND });
  return order;
}

function noteOn(found, { isCut }) {
  if (!found.length) return "";
  const howMany = isCut ? `The ${found.length} best-selling of those that match` : count(found.length, "product", "products");
  return `${howMany}, ${found.length > SHOWN ? `the first ${SHOWN} ` : ""}in the order for this person`;
}

function showTitle(query, category) {
  const inside = category.split(" > ").at(-1);
  $("found-title").textContent = query ? `Results for “${query}”${inside && ` in ${inside}`}` : inside;
}

export function closeSearch() {
  searches++;
  $("query").value = "";
  $("found").hidden = true;
  markCategory("");
  rail().replaceChildren();
}

/** The categories at the level where there are several, for the shop's navigation. */
export async function showCategories(onCategory) {
  const { items } = await shopkeeper.get("items", { limit: FOUND });
  showChips($("categories"), subcategories(items, ""), { current: "", onCategory });
}

function markCategory(category) {
  for (const chip of $("categories").querySelectorAll(".chip")) chip.setAttribute("aria-current", String(`${category} > `.startsWith(`${chip.value} > `)));
}

/** The next level below a category that has more than one entry: paths, the most frequent first. */
function subcategories(items, category) {
  const inside = items.filter((item) => isIn(item, category)).map((item) => levelsOf(item.fields));
  for (let depth = category ? category.split(" > ").length + 1 : 1; inside.some((levels) => levels.length >= depth); depth++) {
    const sizes = Map.groupBy(inside.filter((levels) => levels.length >= depth), (levels) => levels.slice(0, depth).join(" > "));
    if (sizes.size > 1) return [...sizes].sort((one, other) => other[1].length - one[1].length).map(([path]) => path).slice(0, 12);
  }
  return [];
}

function showChips(place, paths, { current, onCategory }) {
  const chips = paths.map((path) => Object.assign(button("chip", "", path.split(" > ").at(-1), () => onCategory(path)), { value: path }));
  if (current) chips.unshift(button("chip back", "", "All categories", () => onCategory("")));
  place.hidden = chips.length === 0;
  place.replaceChildren(make("ul", "", ...chips.map((chip) => make("li", "", chip))));
}
