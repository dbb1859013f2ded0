// The cart and the purchases, made from the events that the server has of this person.
import { $, ago, button, count, DAY, make, money, timesOf, titleOf } from "./page.js";

function itemOf(event) {
  const price = event.catalogue_price ?? event.price; // what it costs now, not what it was when it was put into the cart
  return { item_id: event.item_id, fields: { title: event.title, product_type: event.product_type, price } };
}

/** What was put into the cart in the last day and not taken out or bought since. Events are newest first. */
export function cartOf(events) {
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

export function showCart(cart, { onRemove, onBuy }) {
  const lines = cart.map((item) => {
    const out = button("round", `Remove ${titleOf(item)} from the cart`, "×", () => onRemove(item));
    return line(item, timesOf(item.quantity) + money(item.fields.price), out);
  });
  $("cart").replaceChildren(...(lines.length ? lines : [make("li", "empty", "Your cart is empty.")]));
  $("to-cart").textContent = cart.length ? `Cart · ${cart.length}` : "Cart";
  $("total").textContent = money(totalOf(cart));
  $("buy").disabled = cart.length === 0;
  $("buy").onclick = () => onBuy(cart);
}

/** Null where a price is not known. */
function totalOf(cart) {
  const isPriced = cart.every((item) => item.fields.price !== null);
  return isPriced ? cart.reduce((sum, item) => sum + item.quantity * item.fields.price, 0) : null;
}

/** What a person reads after the purchase. */
export function thanksFor(cart) {
  const total = totalOf(cart);
  return `Thank you: ${count(cart.length, "product", "products")}${total === null ? "" : ` for ${money(total)}`}.`;
}

export function showPurchases(purchases) {
  const baskets = Map.groupBy(purchases, (event) => event.transaction_id ?? event.timestamp);
  const shown = [...baskets.values()].slice(0, 3).flatMap((basket) => {
    const heading = make("h3", "when", `${ago(basket[0].timestamp)} · ${count(basket.length, "product", "products")}`);
    const lines = basket.slice(0, 6).map((event) => line(itemOf(event), timesOf(event.quantity) + money(event.price)));
    const rest = basket.length > 6 ? make("p", "small", `and ${basket.length - 6} more`) : null;
    return [heading, make("ul", "lines", ...lines), ...(rest ? [rest] : [])];
  });
  $("purchases").replaceChildren(...(shown.length ? shown : [make("p", "empty", "Nothing yet.")]));
}
