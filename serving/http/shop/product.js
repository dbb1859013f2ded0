// The page of one product: what it is, the way into its category, and into the cart.
import { $, button, isSoldOut, make, price, titleOf } from "./page.js";
import { levelsOf, picture } from "./pictures.js";

export function showProduct(item, { onAdd, onClose, onCategory }) {
  const { brand, size } = item.fields;
  const facts = [brand && `Brand: ${brand}`, size && `Size: ${size}`, `No. ${item.item_id}`].filter(Boolean).join(" · ");
  const add = isSoldOut(item.fields) ? make("p", "sold-out", "Sold out") : button("primary", "", "Add to cart", onAdd);
  const about = make("div", "about", categories(item, onCategory), make("h2", "", titleOf(item)), make("p", "small", facts), price(item.fields), add);
  const close = button("round", "Close the product", "×", onClose);
  $("sheet").replaceChildren(picture(item.fields), about, close);
  $("product-title").textContent = `Goes with ${titleOf(item)}`;
  $("similar-title").textContent = `Similar to ${titleOf(item)}`;
}

/** The levels of the product's category, each a link to what else is in it. */
function categories(item, onCategory) {
  const levels = levelsOf(item.fields);
  const links = levels.map((level, place) => button("level", "", level, () => onCategory(levels.slice(0, place + 1).join(" > "))));
  const made = make("nav", "levels", ...links.filter((_, place) => !titleOf(item).startsWith(levels[place])));
  made.setAttribute("aria-label", "Categories of this product");
  return made;
}
