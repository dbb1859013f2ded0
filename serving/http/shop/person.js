// Who is shopping: a user, or a visitor whose key is `visitor:` and the visitor's id.
import { $, ago, button, count, make } from "./page.js";
import { attempt, shopkeeper } from "./server.js";

const VISITOR = "visitor:";
const recent = { users: [] };

export const newVisitor = () => VISITOR + crypto.randomUUID();
const nameOf = (userKey) => (userKey.startsWith(VISITOR) ? `visitor ${userKey.slice(VISITOR.length, VISITOR.length + 4)}` : userKey);

export async function readRecentUsers() {
  recent.users = (await shopkeeper.get("shop/users", { limit: 500 })).users;
  return recent.users;
}

/** From now on this person asks and acts. */
export function become(userKey) {
  if (!userKey.startsWith(VISITOR)) shopkeeper.login(userKey);
  else if (userKey === VISITOR + shopkeeper.visitorId) shopkeeper.logout();
  else shopkeeper.newVisitor(userKey.slice(VISITOR.length));
  $("user-name").textContent = nameOf(userKey);
}

function showUsers(current, onPick) {
  const typed = $("user-search").value.trim().toLowerCase();
  const found = recent.users.filter((user) => nameOf(user.id).toLowerCase().includes(typed));
  const lines = found.map((user) => {
    const activity = `${count(user.num_events, "event", "events")}, ${ago(user.latest)}`;
    const made = button("user", "", make("strong", "", nameOf(user.id)), () => onPick(user.id));
    made.append(make("span", "", activity));
    made.setAttribute("aria-current", String(user.id === current()));
    return make("li", "", made);
  });
  const none = typed ? "Not a recently active user. Press Enter to shop as this id." : "There are no users with events yet.";
  $("users").replaceChildren(...(lines.length ? lines : [make("li", "small", none)]));
}

/** The dialog in which another person is picked. */
export function preparePicker({ current, onPick }) {
  const pick = (userKey) => { $("picker").close(); onPick(userKey); };
  const show = () => showUsers(current, pick);
  $("user").addEventListener("click", () => attempt(async () => {
    await readRecentUsers();
    $("user-search").value = "";
    show();
    $("picker").showModal();
  }));
  $("user-search").addEventListener("input", show);
  $("pick").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = $("user-search").value.trim();
    if (typed) pick(typed);
  });
  $("new-visitor").addEventListener("click", () => pick(newVisitor()));
  $("close-picker").addEventListener("click", () => $("picker").close());
}
