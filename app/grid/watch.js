// What other people, and other tabs, decide: asked for about once a second while the page is in view.

const INTERVAL_MS = 1000;
const LONGEST_MS = 10000;

export class Watch {
  /** ask() resolves to the changes since the last answer; onChanges(changes) takes them; onFailure(failure), null once
   *  the server answers again. */
  constructor({ ask, onChanges, onFailure }) {
    Object.assign(this, { ask, onChanges, onFailure });
    this.delayMs = INTERVAL_MS;
    this.failing = false;
    this.onVisible = () => document.hidden || this.now();
    document.addEventListener("visibilitychange", this.onVisible);
    this.plan();
  }

  stop() {
    clearTimeout(this.timer);
    this.stopped = true;
    document.removeEventListener("visibilitychange", this.onVisible);
  }

  plan() {
    clearTimeout(this.timer);
    if (!this.stopped) this.timer = setTimeout(() => this.now(), this.delayMs);
  }

  async now() {
    clearTimeout(this.timer);
    if (document.hidden || this.asking) {
      this.plan();
      return;
    }
    this.asking = true;
    try {
      const changes = await this.ask();
      this.delayMs = INTERVAL_MS;
      if (changes && !this.stopped) this.onChanges(changes);
      this.tellFailure(null);
    } catch (failure) {
      this.delayMs = Math.min(2 * this.delayMs, LONGEST_MS);
      this.tellFailure(failure);
    } finally {
      this.asking = false;
      this.plan();
    }
  }

  tellFailure(failure) {
    if (this.stopped || (!failure && !this.failing)) return;
    this.failing = Boolean(failure);
    this.onFailure(failure);
  }
}
