// Find a class by typing part of its name: opened by "/" or a letter, Enter takes the marked one, Escape leaves.

import { findClasses } from "./classes.js";
import { el } from "./dom.js";

const MAX_SHOWN = 9;
let nFinders = 0;

export class Finder {
  /** words: of the kind of label; onPick(name) is called with the class taken, onLeave() whenever the finder closes. */
  constructor({ words, onPick, onLeave }) {
    Object.assign(this, { words, onPick, onLeave });
    nFinders += 1;
    this.id = `finder-${nFinders}`;
    this.title = el("span", { class: "row-name" });
    this.input = el("input", { type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": this.id, "aria-label": words.finder, autocomplete: "off", spellcheck: "false", maxlength: "200" });
    this.list = el("ul", { role: "listbox", id: this.id });
    this.root = el("div", { class: "finder" }, this.title, this.input, this.list);
    this.root.hidden = true;
    this.input.addEventListener("input", () => this.paint(0));
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.input.addEventListener("blur", () => {
      this.leaving = setTimeout(() => this.close(false), 150);
    });
  }

  get isOpen() {
    return !this.root.hidden;
  }

  /** classes, recent: names; typed: what the finder starts with; what: whom it is about, in words. */
  open({ classes, recent, typed, what }) {
    clearTimeout(this.leaving); // of the last pick, which may have been less than 150 ms ago
    Object.assign(this, { classes, recent });
    this.title.textContent = this.words.find(what);
    this.root.hidden = false;
    this.input.value = typed;
    this.input.focus({ preventScroll: true });
    this.paint(0);
  }

  close(takeKeyboardBack = true) {
    if (!this.isOpen) return;
    this.root.hidden = true;
    this.onLeave(takeKeyboardBack);
  }

  paint(marked) {
    this.found = findClasses(this.input.value, this.classes, this.recent);
    this.marked = Math.min(Math.max(0, marked), Math.min(this.found.length, MAX_SHOWN) - 1);
    const options = this.found.slice(0, MAX_SHOWN).map((name, place) => this.option(name, place));
    const more = this.found.length - options.length;
    if (more > 0) options.push(el("li", { class: "note" }, `and ${more.toLocaleString("en")} more: type on`));
    if (!this.found.length) options.push(el("li", { class: "note" }, "No class has these letters."));
    this.list.replaceChildren(...options);
    this.input.setAttribute("aria-activedescendant", this.found.length ? `${this.id}-${this.marked}` : "");
  }

  option(name, place) {
    const option = el("li", { role: "option", id: `${this.id}-${place}`, "aria-selected": String(place === this.marked) }, name);
    option.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.take(name);
    });
    return option;
  }

  onKey(event) {
    event.stopPropagation();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.paint(this.marked + step);
    else if (event.key === "Enter") this.take(this.found[this.marked]);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
  }

  take(name) {
    if (name === undefined) return;
    this.close();
    this.onPick(name);
  }
}
