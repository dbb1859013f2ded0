// The page's one way to the server, and what the page says when that fails.
import { $ } from "./page.js";
import { Shopkeeper } from "./shopkeeper.js";

let isWaiting = false; // for the server, with something that was done
let back = () => {};
const NEEDS_KEY = "This page is for a server without API keys, and this server has keys. It works on a server whose workspace has none; a shop's own pages send a public key.";

export const shopkeeper = new Shopkeeper({ url: new URL("..", import.meta.url).href, timeoutMs: 12_000, onSent }); // the server gives up after 10 s

function onSent() {
  if (isWaiting) back();
  isWaiting = false;
}

/** What to do when the server has taken what it could not be sent at first. */
export function whenServerIsBack(action) {
  back = action;
}

/** Run an action; when it fails, show the error and offer a retry. */
export async function attempt(action) {
  try {
    await action();
    $("banner").hidden = true;
  } catch (error) {
    const needsKey = error.status === 401;
    document.body.classList.toggle("locked", needsKey); // nothing of the shop can be shown
    $("retry").hidden = needsKey;
    $("problem").textContent = needsKey ? NEEDS_KEY : error.status === 0 ? `${error.message} Is the shop's server still running?` : error.message;
    $("retry").onclick = () => attempt(action);
    $("banner").hidden = false;
  }
}

/** Send what was done: the lists and the history are asked for after it. */
export async function send() {
  isWaiting = false;
  if (await shopkeeper.flush()) return;
  isWaiting = true;
  throw Object.assign(new Error("The server does not answer; what you did is kept and sent when it does."), { status: 0 });
}

/** An answer, and how long it took in milliseconds. */
export async function timed(asked) {
  const started = performance.now();
  const answer = await asked;
  return { answer, milliseconds: performance.now() - started };
}
