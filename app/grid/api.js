// The routes of the app, as functions. Every answer that is no success becomes a Failure with the server's own words.

import { splitThumbnails } from "./logic.js";

export class Failure extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export class Api {
  constructor({ base, token }) {
    this.base = base;
    this.token = token;
  }

  async page(query, page, size) {
    return this.get(`page?${query}&page=${page}&size=${size}`);
  }

  /** The states of the items of that page that have changed since an event, the pace if it is not that of `paced`, and what
   *  is new about the queue. */
  async changes(query, page, size, since, paced) {
    return this.get(`changes?${query}&page=${page}&size=${size}&since=${since}&paced=${paced}`);
  }

  /** What a choice for everything in the queue would do, in counts. */
  async bulkPreview(query, choice, label) {
    const named = label ? `&label=${encodeURIComponent(label)}` : "";
    return this.get(`bulk?${query}&choice=${choice}${named}`);
  }

  /** JPEG bytes of these items as Blobs, null where a picture is missing. */
  async thumbnails(itemIds) {
    const ids = encodeURIComponent(JSON.stringify(itemIds));
    const answer = await this.send(`thumbs?ids=${ids}`);
    const parts = splitThumbnails(await answer.arrayBuffer());
    return parts.map((bytes) => bytes && new Blob([bytes], { type: "image/jpeg" }));
  }

  /** One card an item, as the queue's run explains it; whole: nothing of it left out. */
  async cards(query, itemIds, whole = false) {
    const ids = encodeURIComponent(JSON.stringify(itemIds));
    return this.get(`cards?${query}&ids=${ids}${whole ? "&whole=1" : ""}`);
  }

  async picture(itemId) {
    const answer = await this.send(`image?id=${encodeURIComponent(itemId)}`);
    return answer.blob();
  }

  /** Probabilities, similar items, history and note of one item of a queue; status 403 while it is to be decided blind. */
  async item(query, itemId) {
    return this.get(`item?${query}&id=${encodeURIComponent(itemId)}`);
  }

  /** number: of the note the person saw, 0 = none; a newer one makes it fail with status 409. */
  async writeNote(itemId, text, number) {
    return this.post("note", { id: itemId, text, number });
  }

  /** labels: one class, or the two of a confused pair. */
  async codebook(labels) {
    const names = labels.length === 2 ? labels.map((label) => ["pair", label]) : [["label", labels[0]]];
    return this.get(`codebook?${new URLSearchParams(names)}`);
  }

  /** change: {rule, number} or {add: item_id} or {remove: item_id}. */
  async writeCodebook(labels, change) {
    return this.post("codebook", { labels, ...change });
  }

  async decide(client, acts) {
    return this.post("decisions", { client, acts }, acts.length < 50);
  }

  /** direction: "undo" or "redo"; safe to repeat with the same number. */
  async step(direction, client, seq) {
    return this.post(direction, { client, seq });
  }

  /** Start to rank everything anew with the decisions so far; resolves once that is under way. */
  async updateQueue() {
    return this.post("quick_round", {});
  }

  async get(path) {
    return (await this.send(path)).json();
  }

  async post(path, body, keepalive = false) {
    const answer = await this.send(path, {
      method: "POST",
      body: JSON.stringify(body),
      keepalive,
      headers: { "Content-Type": "application/json" },
    });
    return answer.json();
  }

  async send(path, options = {}) {
    const headers = { ...options.headers, Authorization: `Bearer ${this.token}` };
    let answer;
    try {
      answer = await fetch(this.base + path, { ...options, headers });
    } catch (error) {
      throw new Failure("The server does not answer.", 0);
    }
    if (!answer.ok) throw new Failure(await errorText(answer), answer.status);
    return answer;
  }
}

async function errorText(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text).error || text;
  } catch (error) {
    return `The server answered ${answer.status}.`;
  }
}
