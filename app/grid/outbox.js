// Acts that a person made and the server has not confirmed: kept in local storage, sent one batch at a time.

const MAX_BATCH = 500;
const CANNOT_SAVE = 503;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10000;

/** storage: {getItem, setItem, removeItem}; post(acts) resolves to {results} or rejects with {status, message}.
 *  onChange(state) with state {nWaiting, offline, blocked, message}; onAnswer(acts, answer) once a batch is committed.
 *  blocked: the server is there and cannot save, so that no more acts should be taken until it can. */
export class Outbox {
  constructor({ key, storage, post, onChange, onAnswer, wait = (ms) => new Promise((done) => setTimeout(done, ms)) }) {
    Object.assign(this, { key, storage, post, onChange, onAnswer, wait });
    const kept = JSON.parse(storage.getItem(key) || '{"next": 1, "acts": []}');
    this.next = kept.next;
    this.acts = kept.acts;
    this.sending = null;
    this.delayMs = FIRST_DELAY_MS;
    this.offline = false;
    this.blocked = false;
    this.message = "";
  }

  /** Keep the act, then send it as soon as nothing is in flight. Throws if the browser cannot keep it. */
  add(work) {
    const act = { seq: this.next, ...work };
    this.save(this.next + 1, [...this.acts, act]);
    this.next += 1;
    this.acts.push(act);
    this.flush();
    return act;
  }

  /** A number for something that does not wait in the outbox. */
  takeNumber() {
    const seq = this.next;
    this.save(seq + 1, this.acts);
    this.next += 1;
    return seq;
  }

  /** Send until nothing waits; resolves when it is empty. */
  flush() {
    if (!this.sending) {
      this.sending = this.sendAll().finally(() => {
        this.sending = null;
        this.tell();
      });
    }
    this.tell();
    return this.sending;
  }

  async sendAll() {
    while (this.acts.length) {
      const batch = this.acts.slice(0, MAX_BATCH);
      try {
        const answer = await this.post(batch);
        this.acknowledge(batch, answer);
      } catch (failure) {
        await this.fail(failure);
      }
    }
  }

  acknowledge(batch, answer) {
    const sent = new Set(batch.map((act) => act.seq));
    this.acts = this.acts.filter((act) => !sent.has(act.seq));
    this.delayMs = FIRST_DELAY_MS;
    this.offline = false;
    this.blocked = false;
    this.message = "";
    this.save(this.next, this.acts);
    this.onAnswer(batch, answer);
  }

  async fail(failure) {
    this.offline = true;
    this.blocked = failure.status === CANNOT_SAVE;
    this.message = failure.message || "The server does not answer.";
    this.tell();
    await this.wait(this.delayMs);
    this.delayMs = Math.min(this.delayMs * 2, LONGEST_DELAY_MS);
  }

  /** The latest unconfirmed decision on each item: Map of item_id to decision. */
  waiting() {
    const latest = new Map();
    for (const act of this.acts) for (const decision of act.decisions ?? []) latest.set(decision.item_id, decision);
    return latest;
  }

  save(next, acts) {
    this.storage.setItem(this.key, JSON.stringify({ next, acts }));
  }

  tell() {
    this.onChange({ nWaiting: this.acts.length, offline: this.offline, blocked: this.blocked, message: this.message });
  }
}
