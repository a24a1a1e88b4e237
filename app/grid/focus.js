// The focus view: one large item, its class probabilities, the training items most like it, its note and its history.

import { el, icon } from "./dom.js";
import { nameOf, percent } from "./logic.js";

const MAX_BARS = 10;
const DID = {
  label_right: "label is right",
  label_wrong: "relabelled",
  labelled: "labelled",
  ambiguous: "unsure",
  out_of_scope: "out of scope",
  bad_item: "excluded",
};

export class FocusView {
  /** api, card, labels, contents, classes(): as the grid has them; query(): of the queue shown; onClass(name): it was
   *  picked; onLeave(). */
  constructor({ api, card, labels, contents, classes, query, onClass, onLeave }) {
    Object.assign(this, { api, card, kind: labels, contents, classes, query, onClass, onLeave });
    this.large = card.large(api, query);
    this.caption = el("p", { class: "path" });
    this.labels = el("div", { class: "labels" });
    this.labels.addEventListener("click", (event) => {
      const picked = event.target.closest("[data-class]");
      if (picked) this.onClass(picked.dataset.class);
    });
    this.state = el("p", { class: "state" });
    this.probabilities = el("div", { class: "bars" });
    this.similar = el("div", { class: "similar" });
    this.history = el("ol", { class: "history" });
    this.note = el("textarea", { rows: "2", maxlength: "2000", "aria-label": "Note on this item", placeholder: "A note on this item" });
    this.noteState = el("span", { class: "note-state", role: "status" });
    this.note.addEventListener("keydown", (event) => this.onNoteKey(event));
    this.note.addEventListener("blur", () => this.saveNote());
    const leave = el("button", { type: "button", class: "quiet", title: "Back to the grid (F or Escape)" }, icon("cross"), el("span", {}, "Back to the grid"));
    leave.addEventListener("click", () => this.onLeave());
    this.root = el("div", { class: "focus", role: "region", tabindex: "-1", "aria-label": "Focus view" },
      el("figure", {}, this.large.root, this.caption),
      el("div", { class: "facts" }, leave, this.labels, this.state,
        section("Class probabilities", this.probabilities), section("Most similar training items", this.similar),
        section("Note", this.note, this.noteState), section("History", this.history)));
    this.root.hidden = true;
  }

  get isOpen() {
    return !this.root.hidden;
  }

  open(item) {
    this.root.hidden = false;
    this.show(item);
  }

  close() {
    this.root.hidden = true;
    this.item = undefined;
    this.large.clear();
  }

  /** Show an item, or show its state anew if it is here already. */
  show(item) {
    const isNew = item !== this.item;
    this.item = item;
    this.showLabels(item);
    if (isNew) this.load(item);
    else if (!item.pending) this.loadFacts(item);
  }

  showLabels(item) {
    this.caption.textContent = item.blind ? "Shown blind" : `${nameOf(item)} · ${item.split} · rank ${item.rank.toLocaleString("en")}`;
    this.labels.replaceChildren(...this.kind.largeLines(item, this.classes()));
    this.paintPressed();
    const renamed = item.status === "relabelled" || item.status === "added";
    const decided = item.verdict ? `${DID[item.verdict]}${renamed ? ` as ${this.kind.text(item.label)}` : ""}${item.annotator ? ` by ${item.annotator}` : ""}` : "not decided yet";
    this.state.textContent = item.pending ? `${decided} …` : decided;
  }

  async load(item) {
    for (const part of [this.probabilities, this.similar, this.history]) part.replaceChildren();
    this.note.value = item.note ?? "";
    this.noteNumber = null;
    this.noteState.textContent = "";
    this.loadFacts(item);
    try {
      await this.large.show(item, this.contents.get(item));
    } catch (failure) {
      if (item === this.item) this.caption.textContent = failure.message;
    }
  }

  async loadFacts(item) {
    try {
      const facts = await this.api().item(this.query(), item.item_id);
      if (item === this.item) this.showFacts(item, facts);
    } catch (failure) {
      if (item === this.item) this.probabilities.replaceChildren(failure.message);
    }
  }

  showFacts(item, facts) {
    this.probabilities.replaceChildren(...facts.probabilities.slice(0, MAX_BARS).map((each) => this.bar(each)));
    this.paintPressed();
    this.showHistory(facts.history);
    if (this.noteNumber === null || facts.note_number > this.noteNumber) {
      if (document.activeElement !== this.note) this.note.value = facts.note;
      this.noteNumber = facts.note_number;
      this.savedNote = facts.note;
    }
    this.showSimilar(item, facts.similar);
  }

  bar([name, probability]) {
    const bar = el("button", { type: "button", class: "prob", title: this.kind.words.pick(name), "data-name": name },
      el("span", { class: "name" }, name), el("span", { class: "track" }, el("span", { class: "fill" })), el("span", { class: "value" }, percent(probability)));
    bar.querySelector(".fill").style.width = `${100 * probability}%`;
    bar.addEventListener("click", () => this.onClass(name));
    return bar;
  }

  /** Mark the bars of the classes that the item has, where picking one adds or removes it. */
  paintPressed() {
    const pressed = this.kind.pressed(this.item);
    if (pressed) for (const bar of this.probabilities.children) bar.setAttribute("aria-pressed", String(pressed.has(bar.dataset.name)));
  }

  async showSimilar(item, similar) {
    const tiles = similar.map((each) => el("figure", { title: `cosine similarity ${each.similarity.toFixed(2)}` }, el("div", { class: "thumb" }),
      el("figcaption", {}, this.kind.text(each.label))));
    this.similar.replaceChildren(...(tiles.length ? tiles : ["None."]));
    await this.contents.load(similar);
    if (item !== this.item) return;
    similar.forEach((each, place) => this.card.fillSmall(tiles[place].firstChild, this.contents.get(each), this.query()));
  }

  showHistory(history) {
    const lines = history.map((each) => {
      const when = new Date(each.at).toLocaleString();
      const to = each.new_label && each.new_label !== each.old_label ? `: ${this.kind.change(each.old_label, each.new_label)}` : "";
      const did = { undo: "took it back", redo: "did it again", note: `noted “${each.note}”` }[each.kind] ?? `${DID[each.verdict] ?? each.verdict}${to}`;
      return el("li", {}, el("b", {}, each.annotator), ` ${did} `, el("time", { datetime: each.at }, when));
    });
    this.history.replaceChildren(...(lines.length ? lines.reverse() : [el("li", {}, "Nobody has decided on it.")]));
  }

  onNoteKey(event) {
    event.stopPropagation();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.saveNote();
    if (event.key === "Escape") this.root.focus({ preventScroll: true });
  }

  async saveNote() {
    const { item } = this;
    const text = this.note.value.trim();
    if (!item || this.noteNumber === null || text === this.savedNote) return;
    this.noteState.textContent = "Saving …";
    try {
      const kept = await this.api().writeNote(item.item_id, text, this.noteNumber);
      item.note = kept.note;
      if (item !== this.item) return;
      this.noteNumber = kept.number;
      this.savedNote = kept.note;
      this.noteState.textContent = "Saved";
      this.loadFacts(item);
    } catch (failure) {
      if (item === this.item) this.noteState.textContent = `Not saved: ${failure.message}`;
    }
  }
}

function section(title, ...content) {
  return el("section", {}, el("h3", {}, title), ...content);
}
