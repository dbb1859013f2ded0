// The strip at the foot of the page, which opens: which bundle answered, how fast, and the whole of the answer.
import { $, make } from "./page.js";
import { shopkeeper } from "./server.js";

const last = { lists: [] };

/** `lists`: each `name` and `answer` of the last call. */
export function showCall({ what, milliseconds, lists }) {
  const [{ answer }] = lists;
  last.lists = lists;
  const took = `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
  const remarks = lists.flatMap(({ name, answer: list }) =>
    [list.fallback_used, list.shortfall_reason].filter(Boolean).map((remark) => `${name}: ${remark}`));
  $("bundle").textContent = `${answer.bundle.name} ${answer.bundle.version.slice(0, 12)}`;
  $("latency").textContent = `${what} in ${took}`;
  $("remarks").textContent = $("remarks").title = remarks.join("; ");
  showFacts([
    ["Bundle", answer.bundle.name], ["Version", answer.bundle.version], ["Last call", `${what}, ${took} as this page saw it`],
    ["Visitor", shopkeeper.visitorId], ["Session", shopkeeper.sessionId], ["Events that wait", String(shopkeeper.pending)],
  ]);
  const which = $("which").value;
  $("which").replaceChildren(...lists.map(({ name }) => make("option", "", name)));
  if (lists.some(({ name }) => name === which)) $("which").value = which;
  showAnswer();
}

function showFacts(facts) {
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
}

function showAnswer() {
  const list = last.lists.find(({ name }) => name === $("which").value) ?? last.lists[0];
  $("recommendation").textContent = list?.answer.recommendation_id ?? "none: an order is no list";
  $("raw").textContent = list ? JSON.stringify(list.answer, null, 2) : "";
  showTrace(list?.answer.trace?.stages ?? []);
}

/** The way of a list: what each stage proposed, scored, took away or filled. */
function showTrace(stages) {
  $("trace").hidden = stages.length === 0;
  const rows = stages.map(({ stage, name, num_items }) => make("tr", "", make("td", "", stage.replace("_", " ")), make("td", "", name ?? ""), make("td", "", String(num_items))));
  $("trace").tBodies[0].replaceChildren(...rows);
}

/** While it is open, lists are asked for with their trace. */
export function preparePanel({ onOpen }) {
  $("which").addEventListener("change", showAnswer);
  $("panel").addEventListener("toggle", () => { if ($("panel").open) onOpen(); });
}
