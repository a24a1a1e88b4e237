// An item of words and numbers in full: a sheet that scrolls and whose text can be selected.

import { el } from "./dom.js";

const SCROLLING = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"]);

/** A kind of card says in `paint(card)` what stands on it; card is undefined while nothing of the item is here. */
export class Paper {
  constructor(api, query, content) {
    Object.assign(this, { api, query, content });
    this.about = el("p", { class: "about" });
    this.root = el("div", { class: "large paper", tabindex: "0" }, content, this.about);
    this.root.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** Show what the grid shows at once and the whole once it is here; rejects if it cannot be had. */
  async show(item, card) {
    this.item = item;
    this.root.scrollTop = 0;
    this.paint(card);
    const [whole] = await this.api().cards(this.query(), [item.item_id], true);
    if (item === this.item) this.paint(whole);
  }

  clear() {
    this.item = undefined;
  }

  /** Where there is more than fits, who has clicked into it or come to it with Tab scrolls by the keys of all pages. */
  onKey(event) {
    if (SCROLLING.has(event.key) && this.root.scrollHeight > this.root.clientHeight) event.stopPropagation();
  }
}
