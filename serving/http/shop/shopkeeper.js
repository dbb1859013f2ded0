/**
 * Shopkeeper in the pages of a shop: lists for whoever is looking, and the events that they learn from.
 *
 *     import { Shopkeeper } from "https://reco.myshop.com/shop/shopkeeper.js";
 *     const shopkeeper = new Shopkeeper({ url: "https://reco.myshop.com" });
 *     shopkeeper.viewItem("tea-7");
 *     const list = await shopkeeper.recommend({ surface: "product", itemIds: ["tea-7"], numResults: 8 });
 *
 * An ES module without dependencies. Fields may be written as the API has them (`item_ids`) or in camelCase (`itemIds`);
 * answers are the API's own JSON. Licence: Apache-2.0.
 */

/**
 * @typedef {object} Options
 * @property {string} url Where the server is, such as https://reco.myshop.com.
 * @property {string} [apiKey] A public key, sent as X-API-Key.
 * @property {string} [userId] Who has signed in.
 * @property {string} [userToken] The back end's word that this is the user.
 * @property {string} [visitorId] Who is looking, where the shop has an id of its own. Default: made and kept here.
 * @property {boolean} [consent] False: nothing is stored in the browser, no event is sent, and requests name nobody. Default: true.
 * @property {number} [batchSize] So many events are sent at once. Default: 25.
 * @property {number} [batchMs] So long the first event waits for others, in milliseconds. Default: 1000.
 * @property {number} [timeoutMs] So long an answer may take, in milliseconds. Default: 5000.
 * @property {(answer: EventsAnswer) => void} [onSent] Called when the server has taken events.
 */
/** @typedef {{accepted: number, duplicates: number, rejected: {index: number, field: string, message: string}[]}} EventsAnswer */
/** @typedef {{signal?: AbortSignal, timeoutMs?: number}} CallOptions */
/**
 * @typedef {object} ListRequest The fields of POST /v1/recommend, but those that say who asks.
 * @property {string} [surface]
 * @property {string[]} [itemIds] What is on the page: the product, or the cart.
 * @property {number} [numResults]
 * @property {string[]} [excludeItemIds]
 * @property {string} [filter]
 * @property {number} [excludePurchasedDays]
 * @property {number} [excludeViewedDays]
 * @property {string[]} [returnFields]
 */
/** @typedef {{code: string, text: string, item_id: ?string}} Reason */
/** @typedef {{item_id: string, rank: number, score: number, source: string, reasons: Reason[], fields: Object<string, any>}} RecommendedItem */
/**
 * @typedef {object} List
 * @property {string} recommendation_id
 * @property {{name: string, version: string}} bundle
 * @property {RecommendedItem[]} items
 * @property {number} requested
 * @property {number} returned
 * @property {?string} shortfall_reason
 * @property {?string} fallback_used
 * @property {string[]} unknown_item_ids
 */
/** @typedef {{bundle: {name: string, version: string}, items: {item_id: string, rank: number, score: number}[], unknown_item_ids: string[]}} RankedItems */
/**
 * @typedef {object} EventFields The fields of an event, but its type, id, time and person, which are added.
 * @property {string} [itemId]
 * @property {{itemId: string, quantity?: number, price?: number, currency?: string, position?: number}[]} [items]
 * @property {number} [quantity]
 * @property {number} [price] Of one unit.
 * @property {string} [currency]
 * @property {string} [transactionId]
 * @property {string} [surface]
 * @property {number} [position]
 * @property {string} [recommendationId]
 * @property {string} [searchTerm]
 * @property {object} [attributes]
 */
/** @typedef {{key: string, event: object, length: number, isStored: boolean, isInFlight: boolean}} Unsent An event that waits. */
/** @typedef {{itemId: string, isVisible: boolean, since: number, fields: object, seenKey: string}} Watched A card on the page. */

const PREFIX = "shopkeeper."; // of all that is kept in localStorage
const VISITOR = `${PREFIX}visitor`;
const SESSION = `${PREFIX}session`;
const EVENT = `${PREFIX}event.`; // and the time in milliseconds, and the event's id
const SESSION_MS = 30 * 60_000; // a longer pause begins another session
const MAX_UNSENT = 500; // older events give way
const MAX_AGE_MS = 7 * 86_400_000; // older events of an earlier page are dropped
const MAX_CHARACTERS = 20_000; // of a batch: a browser sends at most 64 KiB for a page that is closed
const MAX_KNOWN = 50; // unsent events that a request for a list brings along
const RESUME_MS = 3_000; // what an earlier page was sending is left alone for so long
const MAX_PAUSE_MS = 60_000;
const EVENTS_TIMEOUT_MS = 10_000;
const SEEN_MS = 1_000;
const SEEN_SHARE = 0.5; // of a card's area

/** An answer that is an error (with its problem details), or none at all (`status` 0). */
export class ShopkeeperError extends Error {
  /** @param {string} detail @param {{status?: number, errors?: {field: string, message: string}[], retryAfterMs?: number, cause?: unknown}} [about] */
  constructor(detail, { status = 0, errors = [], retryAfterMs = 0, cause } = {}) {
    super(detail, { cause });
    this.name = "ShopkeeperError";
    this.status = status;
    this.detail = detail;
    this.errors = errors;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Lists and events of one person in one page. */
export class Shopkeeper {
  #options;
  #storage = browserStorage();
  #consent;
  #userId;
  #visitorId;
  #tokens = new Map(); // user id → user token
  /** @type {Map<string, Unsent>} */
  #unsent = new Map();
  #refused = new Map(); // for want of a key or a token: sent again with another
  #batchSize;
  #sending = null;
  #timer = null;
  #failures = 0;
  #observer = null;
  /** @type {WeakMap<Element, Watched>} */
  #watched = new WeakMap();
  #seen = new Set();

  /** @param {Options} options */
  constructor({ url, apiKey, userId, userToken, visitorId, consent = true, batchSize = 25, batchMs = 1000, timeoutMs = 5000, onSent = () => {} }) {
    if (!url) throw new TypeError("new Shopkeeper needs url, such as https://reco.myshop.com");
    this.#options = { url: new URL(url, location.href).href.replace(/\/+$/, ""), apiKey, batchMs, timeoutMs, onSent };
    this.#batchSize = batchSize;
    this.#consent = consent;
    this.#visitorId = text(visitorId);
    this.#userId = text(userId);
    if (this.#userId && userToken) this.#tokens.set(this.#userId, userToken);
    if (consent) this.#resume();
    document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") this.#leave(); });
    addEventListener("pagehide", () => this.#leave());
    addEventListener("online", () => this.flush());
  }

  // --- who ---

  /** Who has signed in. */
  get userId() { return this.#userId; }

  /** Who is looking: kept from page to page. Null without consent. */
  get visitorId() {
    if (!this.#consent) return null;
    if (this.#visitorId === null) this.#visitorId = this.#storage.get(VISITOR) ?? newId();
    if (this.#storage.get(VISITOR) !== this.#visitorId) this.#storage.set(VISITOR, this.#visitorId);
    return this.#visitorId;
  }

  /** Which visit: another one after a pause of half an hour. Null without consent. */
  get sessionId() {
    if (!this.#consent) return null;
    const [kept, latest] = (this.#storage.get(SESSION) ?? "").split(" ");
    const id = kept && Date.now() - Number(latest) < SESSION_MS ? kept : newId();
    this.#storage.set(SESSION, `${id} ${Date.now()}`);
    return id;
  }

  /** Somebody has signed in, or has a new token. @param {string} userId @param {{userToken?: string}} [options] */
  login(userId, { userToken } = {}) {
    this.#userId = text(userId);
    if (userToken) this.#tokens.set(this.#userId, userToken);
    for (const [key, unsent] of this.#refused) this.#unsent.set(key, unsent);
    this.#refused.clear();
    if (this.#unsent.size) this.#flushIn(0);
  }

  /** Nobody is signed in any more. What they did is still sent as theirs. */
  logout() {
    this.#userId = null;
    this.flush();
  }

  /** Somebody else is at this device: nobody is signed in, and the visitor and the session are new. @param {string} [visitorId] */
  newVisitor(visitorId) {
    this.logout();
    this.#visitorId = text(visitorId) ?? newId();
    this.#storage.remove(SESSION);
  }

  /** Without consent nothing is kept in the browser, and no event is sent; what was kept and not yet sent is deleted. @param {boolean} isGiven */
  setConsent(isGiven) {
    if (isGiven === this.#consent) return;
    this.#consent = isGiven;
    if (isGiven) return;
    clearTimeout(this.#timer);
    this.#timer = this.#visitorId = null;
    this.#unsent.clear();
    this.#refused.clear();
    for (const key of this.#storage.keys(PREFIX)) this.#storage.remove(key);
  }

  #who() {
    if (!this.#consent) return {};
    const who = { visitor_id: this.visitorId, session_id: this.sessionId };
    return this.#userId ? { user_id: this.#userId, ...who } : who;
  }

  // --- lists ---

  /** One list. @param {ListRequest} [list] @param {CallOptions} [options] @returns {Promise<List>} */
  recommend(list = {}, options = {}) {
    return this.#ask("recommend", withApiNames(list), options);
  }

  /** Several lists of one page, no item twice: the first slot chooses first. @param {ListRequest[]} slots @param {CallOptions} [options] @returns {Promise<{slots: List[]}>} */
  page(slots, options = {}) {
    return this.#ask("page", { slots: withApiNames(slots) }, options);
  }

  /** Items of a search or a category in this person's order. @param {string[]} itemIds @param {CallOptions} [options] @returns {Promise<RankedItems>} */
  rank(itemIds, options = {}) {
    return this.#ask("rank", { item_ids: itemIds }, options);
  }

  /** Any GET of the API, such as get("items", { query: "tea" }). @param {string} path @param {Object<string, string|number>} [parameters] @param {CallOptions} [options] @returns {Promise<any>} */
  get(path, parameters = {}, options = {}) {
    const query = new URLSearchParams(parameters).toString();
    return this.#call(query ? `${path}?${query}` : path, options);
  }

  /** What waits to be sent goes with the request, so that the answer knows it already. It counts once. */
  async #ask(path, fields, options) {
    const token = this.#consent && this.#tokens.get(this.#userId);
    const body = { ...this.#who(), ...(token ? { user_token: token } : {}), ...fields };
    const known = this.#justDone(body);
    if (!known.length) return this.#call(path, { ...options, body });
    try {
      return await this.#call(path, { ...options, body: { ...body, events: [...known, ...(fields.events ?? [])] } });
    } catch (error) {
      if (error.status !== 422 || !error.errors.some(({ field }) => field.startsWith("events"))) throw error;
      return this.#call(path, { ...options, body }); // an event is wrong, which costs no list
    }
  }

  #justDone({ user_id, visitor_id }) {
    const events = [...this.#unsent.values()].map((unsent) => unsent.event);
    const isOwn = (event) => (user_id ? event.user_id === user_id : !event.user_id && event.visitor_id === visitor_id);
    return events.filter((event) => isOwn(event) && event.event_type !== "view_item_list").slice(-MAX_KNOWN);
  }

  // --- events ---

  /**
   * Something happened. It is sent within a second, and again until the server has it, from a later page if need be.
   * @param {string} eventType @param {EventFields} [fields] @returns {?string} The event's id; null without consent.
   */
  track(eventType, fields = {}) {
    if (!this.#consent) return null;
    const given = withApiNames(fields);
    // an order's own number: a thank-you page that is loaded again sends the same event
    const id = (eventType === "purchase" && text(given.transaction_id)) || newId();
    const event = { event_type: eventType, event_id: id, timestamp: new Date().toISOString(), ...this.#who(), ...given };
    const key = `${EVENT}${Date.now()}.${event.event_id}`;
    const written = JSON.stringify(event);
    this.#unsent.set(key, { key, event, length: written.length, isStored: this.#storage.set(key, written), isInFlight: false });
    this.#makeRoom();
    const isFull = this.#failures === 0 && this.#unsent.size >= this.#batchSize;
    if (isFull && !this.#sending) this.flush();
    else this.#flushIn(this.#options.batchMs);
    return event.event_id;
  }

  /** @param {string} itemId @param {EventFields} [fields] */
  viewItem(itemId, fields = {}) { return this.track("view_item", { itemId, ...fields }); }

  /** @param {string} itemId @param {EventFields} [fields] */
  addToCart(itemId, fields = {}) { return this.track("add_to_cart", { itemId, quantity: 1, ...fields }); }

  /** @param {string} itemId @param {EventFields} [fields] */
  removeFromCart(itemId, fields = {}) { return this.track("remove_from_cart", { itemId, ...fields }); }

  /** An order, with its transactionId and items. @param {EventFields} order */
  purchase(order) { return this.track("purchase", order); }

  /** @param {string} searchTerm @param {EventFields} [fields] */
  search(searchTerm, fields = {}) { return this.track("search", { searchTerm, ...fields }); }

  /** How many events wait to be sent. */
  get pending() { return this.#unsent.size; }

  /** Send what waits, now. @returns {Promise<boolean>} Whether nothing is left. */
  async flush() {
    while (this.#sending) await this.#sending;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#sending = this.#sendAll();
    await this.#sending;
    this.#sending = null;
    return this.#unsent.size === 0;
  }

  async #sendAll() {
    let batch = this.#nextBatch();
    while (batch.length && (await this.#send(batch))) batch = this.#nextBatch();
  }

  /** Whoever is sending then sends these too, or pauses after a failure. */
  #flushIn(milliseconds) {
    this.#timer ??= setTimeout(() => { this.#timer = null; if (!this.#sending) this.flush(); }, milliseconds);
  }

  /** The oldest events that are not on their way, all of one user: a user token is for one. */
  #nextBatch() {
    const batch = [];
    let length = 0;
    for (const unsent of this.#unsent.values()) {
      if (unsent.isInFlight || (batch.length && unsent.event.user_id !== batch[0].event.user_id)) continue;
      if (unsent.isStored && this.#storage.get(unsent.key) === null) { // another tab has sent it
        this.#unsent.delete(unsent.key);
        continue;
      }
      length += unsent.length;
      if (batch.length && (batch.length >= this.#batchSize || length > MAX_CHARACTERS)) break;
      batch.push(unsent);
    }
    return batch;
  }

  /** Whether the next batch may follow. */
  async #send(batch) {
    for (const unsent of batch) unsent.isInFlight = true;
    const token = this.#tokens.get(batch[0].event.user_id);
    const body = { ...(token ? { user_token: token } : {}), events: batch.map((unsent) => unsent.event) };
    const keepalive = batch.reduce((sum, unsent) => sum + unsent.length, 0) <= MAX_CHARACTERS;
    let answer;
    try {
      answer = await this.#call("events", { body, keepalive, timeoutMs: EVENTS_TIMEOUT_MS });
    } catch (error) {
      for (const unsent of batch) unsent.isInFlight = false;
      return this.#mayGoOn(batch, error);
    }
    this.#failures = 0;
    const held = answer.rejected.filter(({ field }) => field === "user_id" && this.#options.apiKey).map(({ index }) => batch[index]);
    this.#refuse(held);
    this.#drop(batch.filter((unsent) => !held.includes(unsent)));
    for (const { index, field, message } of answer.rejected) {
      console.warn(`Shopkeeper: the server rejected an event: ${field} ${message}`, batch[index].event);
    }
    this.#options.onSent(answer);
    return true;
  }

  #mayGoOn(batch, error) {
    const { status } = error;
    if (status === 0 || status === 408 || status === 429 || status >= 500) {
      const pause = Math.min(MAX_PAUSE_MS, 1000 * 2 ** this.#failures++) * (0.5 + Math.random() / 2);
      clearTimeout(this.#timer); // an event that came meanwhile waits as long
      this.#timer = null;
      this.#flushIn(Math.max(pause, error.retryAfterMs));
      return false;
    }
    if (status === 413 && batch.length > 1) {
      this.#batchSize = Math.ceil(batch.length / 2);
      return true;
    }
    console.warn(`Shopkeeper: the server refused ${batch.length} event(s): ${error.message}`);
    if (status === 401 || status === 403) this.#refuse(batch);
    else this.#drop(batch);
    return true;
  }

  /** Keep events for another token, or for a later page. */
  #refuse(batch) {
    for (const unsent of batch) {
      this.#unsent.delete(unsent.key);
      this.#refused.set(unsent.key, Object.assign(unsent, { isInFlight: false }));
    }
  }

  #drop(batch) {
    for (const { key } of batch) {
      this.#unsent.delete(key);
      this.#storage.remove(key);
    }
  }

  #makeRoom() {
    if (this.#unsent.size <= MAX_UNSENT) return;
    const oldest = [...this.#unsent.values()].find((unsent) => !unsent.isInFlight);
    if (oldest) this.#drop([oldest]);
  }

  /** Send what earlier pages and closed tabs left, but for what they may be sending at this moment. */
  #resume() {
    this.#takeUp();
    setTimeout(() => this.#takeUp(), RESUME_MS);
  }

  #takeUp() {
    if (!this.#consent) return;
    const now = Date.now();
    for (const key of this.#storage.keys(EVENT).sort().slice(-MAX_UNSENT)) {
      const age = now - Number.parseInt(key.slice(EVENT.length), 10);
      const event = parsed(this.#storage.get(key));
      if (!event || !(age < MAX_AGE_MS)) this.#storage.remove(key);
      else if (age >= RESUME_MS && !this.#unsent.has(key)) {
        this.#unsent.set(key, { key, event, length: JSON.stringify(event).length, isStored: true, isInFlight: false });
      }
    }
    if (this.#unsent.size) this.#flushIn(0);
  }

  /** The page may be closed now: send all that waits in requests that outlive it. */
  #leave() {
    for (let batch = this.#nextBatch(); batch.length; batch = this.#nextBatch()) this.#send(batch);
  }

  // --- what is seen and clicked ---

  /**
   * A card of a list: reports `view_item_list` once half of it was visible for a second, once for each recommendation and item, and
   * `select_item` when it is clicked (where it has links, when one of them is).
   * @param {Element} element @param {EventFields & {itemId: string}} fields
   */
  observe(element, { itemId, ...fields }) {
    this.#observer ??= new IntersectionObserver((entries) => this.#onVisible(entries), { threshold: SEEN_SHARE });
    if (this.#watched.has(element)) this.#observer.unobserve(element); // it shows another item now
    else element.addEventListener("click", ({ target }) => this.#onClick(element, target));
    const list = fields.recommendationId ?? `${fields.surface} ${fields.searchTerm}`;
    this.#watched.set(element, { itemId, fields, seenKey: `${list} ${itemId}`, isVisible: false, since: 0 });
    this.#observer.observe(element);
  }

  #onClick(element, target) {
    const { itemId, fields } = this.#watched.get(element);
    if (target.closest("a") || !element.querySelector("a")) this.track("select_item", { itemId, ...fields });
  }

  #onVisible(entries) {
    for (const { target, intersectionRatio } of entries) {
      const watched = this.#watched.get(target);
      watched.isVisible = intersectionRatio >= SEEN_SHARE;
      watched.since = performance.now();
      if (!target.isConnected) this.#observer.unobserve(target);
    }
    const visible = entries.map((entry) => entry.target).filter((target) => this.#watched.get(target).isVisible);
    if (visible.length) setTimeout(() => this.#reportSeen(visible), SEEN_MS);
  }

  /** The cards of a list that became visible together are one event. */
  #reportSeen(elements) {
    if (document.visibilityState === "hidden") return void setTimeout(() => this.#reportSeen(elements), SEEN_MS);
    const lists = new Map();
    for (const element of elements) {
      const { itemId, isVisible, since, seenKey, fields: { position, ...shared } } = this.#watched.get(element);
      if (!isVisible || performance.now() - since < SEEN_MS - 50 || !this.#consent) continue;
      this.#observer.unobserve(element);
      if (this.#seen.has(seenKey)) continue;
      this.#seen.add(seenKey);
      const list = JSON.stringify(shared);
      if (!lists.has(list)) lists.set(list, { ...shared, items: [] });
      lists.get(list).items.push({ itemId, position });
    }
    for (const fields of lists.values()) this.track("view_item_list", fields);
  }

  // --- the server ---

  async #call(path, { body, signal, keepalive = false, timeoutMs = this.#options.timeoutMs } = {}) {
    const { url, apiKey } = this.#options;
    const headers = { ...(body ? { "Content-Type": "application/json" } : {}), ...(apiKey ? { "X-API-Key": apiKey } : {}) };
    const request = body ? { method: "POST", headers, body: JSON.stringify(body), keepalive } : { headers };
    const abort = new AbortController();
    const onAbort = () => abort.abort(signal.reason);
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort);
    const timer = setTimeout(() => abort.abort(new DOMException(`No answer within ${timeoutMs} ms.`, "TimeoutError")), timeoutMs);
    try {
      return await answerOf(await fetch(`${url}/v1/${path}`, { ...request, signal: abort.signal }));
    } catch (error) {
      if (signal?.aborted || error instanceof ShopkeeperError) throw error;
      const reason = error.name === "TimeoutError" ? error.message : "The server does not answer.";
      throw new ShopkeeperError(reason, { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }
}

async function answerOf(response) {
  const written = await response.text();
  const answer = parsed(written);
  if (response.ok && answer !== null) return answer;
  throw new ShopkeeperError(answer?.detail ?? `The server answered with status ${response.status}.`, {
    status: response.ok ? 0 : response.status, // no JSON: somebody else's answer, such as a hotel's sign-in page
    errors: answer?.errors,
    retryAfterMs: waitOf(response.headers.get("Retry-After")),
  });
}

/** Milliseconds, of seconds or a date. */
function waitOf(retryAfter) {
  if (retryAfter === null) return 0;
  const seconds = Number(retryAfter);
  const wait = Number.isNaN(seconds) ? Date.parse(retryAfter) - Date.now() : 1000 * seconds;
  return Number.isFinite(wait) ? Math.max(0, wait) : 0;
}

/** camelCase names of fields as the API has them; `attributes` are the shop's own. */
function withApiNames(value) {
  if (Array.isArray(value)) return value.map(withApiNames);
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const fields = Object.entries(value).map(([name, inner]) => {
    const apiName = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return [apiName, name === "attributes" ? inner : withApiNames(inner)];
  });
  return Object.fromEntries(fields);
}

/** localStorage; memory where the browser refuses it, so that the page still works. */
function browserStorage() {
  let kept = null;
  try {
    kept = window.localStorage;
    kept.getItem(VISITOR);
  } catch {
    kept = null;
  }
  const memory = new Map();
  return {
    get: (key) => (kept ? kept.getItem(key) : memory.get(key) ?? null),
    remove: (key) => { if (kept) kept.removeItem(key); else memory.delete(key); },
    keys: (prefix) => (kept ? Object.keys(kept) : [...memory.keys()]).filter((key) => key.startsWith(prefix)),
    /** Whether there was room. */
    set: (key, value) => {
      if (!kept) return memory.set(key, value).has(key);
      try {
        kept.setItem(key, value);
        return true;
      } catch {
        return false;
      }
    },
  };
}

function newId() {
  if (crypto.randomUUID) return crypto.randomUUID(); // pages over plain HTTP do not have it
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function parsed(written) {
  try {
    return JSON.parse(written);
  } catch {
    return null;
  }
}

const text = (id) => (id === null || id === undefined || id === "" ? null : String(id));
