// Building blocks of the page: elements, buttons, prices, times. Data is inserted as text by append, never as innerHTML.
import { levelsOf } from "./pictures.js";

export const shop = { surfaces: [], columns: [], currency: null, has_times: true }; // filled from GET /v1/shop
export const DAY = 86_400_000; // milliseconds
export const $ = (id) => document.getElementById(id);

export function make(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function button(className, label, text, onClick) {
  const made = make("button", className, text);
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", onClick);
  return made;
}

export const priceOf = (fields) => fields.sale_price ?? fields.price ?? null;

export function money(amount) {
  if (amount === null || amount === undefined) return "–";
  const currency = shop.currency;
  return amount.toLocaleString("en-US", currency ? { style: "currency", currency } : { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

export const isSoldOut = (fields) => fields.availability === "out_of_stock";

export function price(fields) {
  const now = priceOf(fields);
  if (now === null) return make("span", "price quiet", "No price");
  const isReduced = fields.sale_price != null && fields.price > fields.sale_price;
  return make("span", "price", money(now), isReduced ? make("s", "", money(fields.price)) : null);
}

const midnight = (time) => new Date(time).setHours(0, 0, 0, 0);

export function ago(time) {
  if (!shop.has_times && new Date(time).getUTCFullYear() < 1973) return "earlier"; // a row number, of an event that was imported
  const days = Math.max(0, Math.round((midnight(Date.now()) - midnight(time)) / DAY)); // a day may have 23 or 25 hours
  if (days < 2) return days ? "yesterday" : "today";
  return days < 60 ? `${days} days ago` : new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

export const timesOf = (quantity) => ((quantity ?? 1) === 1 ? "" : `${Number(quantity.toFixed(3))} × `);

export const count = (number, one, many) => `${number.toLocaleString("en-US")} ${number === 1 ? one : many}`;

export const titleOf = (item) => item.fields.title || `Product ${item.item_id}`;

// The most specific level of the category that the title does not begin with, and the brand.
export function shortCategory(item) {
  const levels = levelsOf(item.fields).filter((level, place) => !place || !titleOf(item).startsWith(level));
  return [levels.at(-1), item.fields.brand].filter(Boolean).join(" · ") || "\u00a0";
}
