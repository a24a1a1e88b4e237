// Acts that a person made and the server has not confirmed: kept in local storage, sent one batch at a time.

const MAX_BATCH = 500;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10000;

/** storage: {getItem, setItem, removeItem}; post(acts) resolves to {results} or rejects with {retry: boolean, message}.
 *  onChange(state) with state {nWaiting, offline, message}; onAnswer(acts, answer) once a batch is committed. */
export class Outbox {
  constructor({ key, storage, post, onChange, onAnswer, wait = (ms) => new Promise((done) => setTimeout(done, ms)) }) {
    Object.assign(this, { key, storage, post, onChange, onAnswer, wait });
    const kept = JSON.parse(storage.getItem(key) || '{"next": 1, "acts": []}');
    this.next = kept.next;
    this.acts = kept.acts;
    this.sending = null;
    this.delayMs = FIRST_DELAY_MS;
    this.offline = false;
    this.message = "";
  }

  /** Keep the act, then send it as soon as nothing is in flight. Throws if the browser cannot keep it. */
  add(decisions) {
    const act = { seq: this.next, ...decisions };
    this.next += 1;
    this.acts.push(act);
    this.save();
    this.flush();
    return act;
  }

  /** A number for something that does not wait in the outbox. */
  takeNumber() {
    const seq = this.next;
    this.next += 1;
    this.save();
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
    this.message = "";
    this.save();
    this.onAnswer(batch, answer);
  }

  async fail(failure) {
    this.offline = true;
    this.message = failure.message || "The server does not answer.";
    this.tell();
    await this.wait(this.delayMs);
    this.delayMs = Math.min(this.delayMs * 2, LONGEST_DELAY_MS);
  }

  /** The latest unconfirmed decision on each item: Map of item_id to decision. */
  waiting() {
    const latest = new Map();
    for (const act of this.acts) for (const decision of act.decisions) latest.set(decision.item_id, decision);
    return latest;
  }

  save() {
    this.storage.setItem(this.key, JSON.stringify({ next: this.next, acts: this.acts }));
  }

  tell() {
    this.onChange({ nWaiting: this.acts.length, offline: this.offline, message: this.message });
  }
}
