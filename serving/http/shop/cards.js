// Product cards, and rows of cards with animated changes.
import { button, isSoldOut, make, price, shortCategory, titleOf } from "./page.js";
import { picture } from "./pictures.js";

const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
export const scrolling = () => (isCalm.matches ? "auto" : "smooth");

export function card(item, { address, reason = "", isNew = false, onOpen, onAdd }) {
  const title = titleOf(item);
  const open = make("a", "open", picture(item.fields), make("span", "category", shortCategory(item)), make("span", "title", title));
  Object.assign(open, { href: address, title });
  open.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    onOpen();
  });
  const add = isSoldOut(item.fields) ? make("span", "sold-out", "Sold out") : button("add", `Add ${title} to the cart`, "+", onAdd);
  const why = make("p", "reason", make("span", "", reason));
  const made = make("li", isNew ? "card new" : "card", open, make("div", "buying", price(item.fields), add), why);
  made.dataset.item = item.item_id;
  return made;
}

// Replace the cards of a row. Cards that stay move to their new place, new ones fade in; focus and scroll position stay.
export function showCards(rail, cards, empty) {
  const before = new Map([...rail.children].map((old) => [old.dataset.item, old.offsetLeft]));
  const focused = [...rail.children].findIndex((old) => old.contains(document.activeElement));
  const part = document.activeElement.className;
  const scrolled = rail.scrollLeft;
  rail.replaceChildren(...(cards.length ? cards : [make("li", "empty", empty)]));
  rail.removeAttribute("aria-busy");
  rail.scrollLeft = scrolled;
  if (focused >= 0) cards[Math.min(focused, cards.length - 1)]?.querySelector(`.${part}`)?.focus({ preventScroll: true });
  if (isCalm.matches) return;
  for (const made of cards) {
    const moved = (before.get(made.dataset.item) ?? made.offsetLeft) - made.offsetLeft;
    if (moved) made.animate([{ transform: `translateX(${moved}px)` }, {}], { duration: 350, easing: "ease-out" });
    if (!before.has(made.dataset.item)) made.animate([{ opacity: 0 }, {}], { duration: 350 });
  }
}

export function showSkeletons(rail) {
  rail.setAttribute("aria-busy", "true");
  rail.scrollLeft = 0;
  rail.replaceChildren(...Array.from({ length: 6 }, () => make("li", "card skeleton")));
}

export function addArrows(row) {
  const rail = row.querySelector(".rail");
  const turn = (pages) => rail.scrollBy({ left: pages * rail.clientWidth * 0.8, behavior: scrolling() });
  const back = button("round", "Show earlier cards", "‹", () => turn(-1));
  const on = button("round", "Show more cards", "›", () => turn(1));
  row.querySelector("header:has(.note)").append(make("span", "arrows", back, on));
}
