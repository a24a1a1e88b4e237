// The codebook beside the grid: for a class or a confused pair, the rule the team wrote down, and exemplars.

import { el, icon } from "./dom.js";
import { nameOf } from "./logic.js";

const FRESH_MS = 30000;
const PAUSE_MS = 250;

export class Codebook {
  /** api(), query(), card, labels, contents: as the grid has them; framed(): the framed item or undefined. */
  constructor({ api, query, card, labels, contents, framed }) {
    Object.assign(this, { api, query, card, kind: labels, contents, framed });
    this.known = new Map();
    this.title = el("h3", {});
    this.rule = el("p", { class: "rule" });
    this.text = el("textarea", { rows: "7", maxlength: "4000", "aria-label": "The rule" });
    this.text.addEventListener("keydown", (event) => this.onKey(event));
    this.edit = this.button("Write the rule", () => this.startEditing());
    this.save = this.button("Save", () => this.saveRule(), "main");
    this.cancel = this.button("Cancel", () => this.stopEditing());
    this.state = el("p", { class: "note-state", role: "status" });
    this.exemplars = el("div", { class: "exemplars" });
    this.add = this.button("Add the framed item", () => this.change({ add: this.framed()?.item_id }));
    this.root = el("aside", { class: "codebook", "aria-label": "Codebook" },
      el("div", { class: "head" }, icon("book"), this.title), this.rule, this.text,
      el("div", { class: "row" }, this.edit, this.save, this.cancel), this.state,
      el("h4", {}, "Exemplars"), this.exemplars, this.add);
    this.stopEditing();
  }

  button(text, onPress, classes = "") {
    const button = el("button", { type: "button", class: classes }, text);
    button.addEventListener("click", onPress);
    return button;
  }

  /** Show the entry of these labels, one class or the two of a pair; none = a hint. What was read lately is shown at
   *  once; the rest is asked for when the person pauses, not at every item they pass. */
  show(labels) {
    const key = JSON.stringify(labels);
    if (this.root.hidden || key === this.key || this.editing) return;
    this.key = key;
    this.labels = labels;
    this.title.textContent = labels.join(" or ") || "Codebook";
    clearTimeout(this.timer);
    const known = this.known.get(key);
    this.paint(known?.entry ?? { rule: "", exemplars: [] });
    if (!labels.length || (known && performance.now() - known.at < FRESH_MS)) return;
    if (!known) this.rule.textContent = "…";
    this.timer = setTimeout(() => this.ask(() => this.api().codebook(labels)), PAUSE_MS);
  }

  async ask(request) {
    const { key } = this;
    try {
      const entry = await request();
      this.known.set(key, { entry, at: performance.now() });
      if (key === this.key) this.paint(entry);
      return true;
    } catch (failure) {
      if (key === this.key) this.state.textContent = failure.message;
      return false;
    }
  }

  paint(entry) {
    this.entry = entry;
    this.state.textContent = entry.annotator ? `by ${entry.annotator}, ${new Date(entry.at).toLocaleDateString()}` : "";
    this.rule.textContent = entry.rule || (this.labels?.length ? "No rule yet: what belongs here, what does not, and what decides between the two?" : "Frame an item, or pick a class above.");
    this.rule.classList.toggle("none", !entry.rule);
    this.edit.textContent = entry.rule ? "Edit" : "Write the rule";
    this.edit.disabled = this.add.disabled = !this.labels?.length;
    const tiles = entry.exemplars.map((each) => this.exemplar(each));
    this.exemplars.replaceChildren(...tiles);
    this.contents.load(entry.exemplars).then(() =>
      entry.exemplars.forEach((each, place) =>
        this.card.fillSmall(tiles[place].firstChild, this.contents.get(each), this.query())));
  }

  exemplar(each) {
    const remove = el("button", { type: "button", class: "quiet", title: "Remove this exemplar", "aria-label": `Remove ${nameOf(each)}` }, icon("cross"));
    remove.addEventListener("click", () => this.change({ remove: each.item_id }));
    return el("figure", { title: nameOf(each) }, el("div", { class: "thumb" }), el("figcaption", {}, this.kind.text(each.label)), remove);
  }

  async change(change) {
    if (Object.values(change)[0] === undefined) return;
    await this.ask(() => this.api().writeCodebook(this.labels, change));
  }

  startEditing() {
    this.text.value = this.entry.rule;
    this.setEditing(true);
    this.text.focus();
  }

  stopEditing() {
    this.setEditing(false);
  }

  setEditing(editing) {
    this.editing = editing;
    this.text.hidden = this.save.hidden = this.cancel.hidden = !editing;
    this.rule.hidden = this.edit.hidden = editing;
  }

  async saveRule() {
    const rule = this.text.value.trim();
    if (await this.ask(() => this.api().writeCodebook(this.labels, { rule, number: this.entry.number }))) this.stopEditing();
  }

  onKey(event) {
    event.stopPropagation();
    if (event.key === "Escape") this.stopEditing();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.saveRule();
  }
}
