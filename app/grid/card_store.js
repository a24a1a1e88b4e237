// What cards of words and numbers show, by item, fetched a page at a time, the least recently used dropped.

const MAX_KEPT = 900;

export class CardStore {
  /** fetchCards(itemIds) resolves to one card an item; context() names what cards depend on beside their item. */
  constructor({ fetchCards, context }) {
    Object.assign(this, { fetchCards, context });
    this.kept = new Map();
    this.loading = new Map();
  }

  /** The card of an item, or undefined while it is not here. */
  get(item) {
    if (!item) return undefined;
    const key = this.keyOf(item);
    const card = this.kept.get(key);
    if (card === undefined) return undefined;
    this.kept.delete(key);
    this.kept.set(key, card);
    return card;
  }

  /** Make sure that these items' cards are here. */
  async load(items) {
    const unknown = items.filter((item) => !this.kept.has(this.keyOf(item)) && !this.loading.has(this.keyOf(item)));
    if (unknown.length) {
      const keys = unknown.map((item) => this.keyOf(item));
      const work = this.fetchAll(unknown, keys).finally(() => keys.forEach((key) => this.loading.delete(key)));
      keys.forEach((key) => this.loading.set(key, work));
    }
    await Promise.all(new Set(items.map((item) => this.loading.get(this.keyOf(item)))));
  }

  async fetchAll(items, keys) {
    const cards = await this.fetchCards(items.map((item) => item.item_id));
    keys.forEach((key, place) => this.kept.set(key, cards[place]));
    while (this.kept.size > MAX_KEPT) this.kept.delete(this.kept.keys().next().value);
  }

  /** A blind item's card tells less than the same one's after it was decided. */
  keyOf(item) {
    return JSON.stringify([this.context(), Boolean(item.blind), item.item_id]);
  }

  clear() {
    this.kept.clear();
  }
}
