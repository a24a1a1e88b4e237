// The bar above the tiles: verdicts, classes with their keys, what is selected, how far the queue is.

import { keyOfPlace, nKeyed } from "./classes.js";
import { el, icon } from "./dom.js";
import { plural, progressText, quoted } from "./logic.js";

const PAGE_SIZES = [12, 24, 30, 60, 90, 120, 180, 240, 300];
const verdictsOf = (words) => [
  ["right", "check", words.right, "Q"],
  ["accept", "robot", words.accept, "W"],
  ["unsure", "question", "Unsure", "N"],
  ["exclude", "cross", "Exclude", "E"],
  ["scope", "out", "Out of scope", "O"],
];

export class Toolbar {
  /** on: {decide(choice, label), step(direction), find(), keys(), focus(), codebook(), pick(), selectAll(), clear(), turn(step), goTo(page),
   *  pageSize(n), tileSize(px), keyOrder(), taken()}; taken() is called after a press, to give the keyboard back. card, labels: the kinds of card and of label. */
  constructor(on, card, labels) {
    Object.assign(this, { on, card, words: labels.words });
    this.undo = this.button([icon("undo"), el("span", {}, "Undo")], () => on.step("undo"), { title: "Undo your last act (Ctrl+Z)", class: "step", "aria-label": "Undo" });
    this.redo = this.button([icon("redo"), el("span", {}, "Redo")], () => on.step("redo"), { title: "Redo (Ctrl+Shift+Z)", class: "step", "aria-label": "Redo" });
    this.saved = el("span", { class: "saved", role: "status", "aria-live": "polite" });
    this.message = el("div", { class: "message", role: "alert" });
    this.message.hidden = true;
    this.legend = el("div", { class: "row legend", role: "note", "aria-label": "What the marks mean" });
    this.legend.hidden = true;
    this.classes = el("div", { class: "row classes" });
    this.finderPlace = el("div", { class: "finder-place" });
    this.chosen = el("span", { class: "chosen", "aria-live": "polite" });
    this.why = el("p", { class: "why", title: "Why the framed item is here" });
    this.pickButton = this.button(["Pick"], () => on.pick(), { title: "A click or tap on a tile adds it or takes it out", class: "quiet", "aria-pressed": "false" });
    this.selectButton = this.button(["Select page"], () => on.selectAll(), { title: "Ctrl+A; again for everything in this filter", class: "quiet" });
    this.clearButton = this.button(["Clear"], () => on.clear(), { title: "Escape", class: "quiet" });
    this.fill = el("div", { class: "fill" });
    this.progress = el("span", { class: "progress-text" });
    this.pagers = [this.pager("top"), this.pager("bottom")];
    this.codebookButton = this.button([icon("book"), el("span", {}, "Codebook")], () => on.codebook(), { class: "quiet look", title: "The rule for this class, and exemplars", "aria-pressed": "false", "aria-label": "Codebook" });
    const verdicts = verdictsOf(this.words).map(([choice, sign, text, key]) =>
      this.button([icon(sign), el("span", {}, text), el("kbd", {}, key)], () => on.decide(choice), { title: `${text} (${key})` }));
    this.root = el("div", { class: "toolbar" },
      el("div", { class: "row" }, ...verdicts, el("span", { class: "gap" }), this.undo, this.redo, this.saved),
      this.classes, this.finderPlace,
      el("div", { class: "row" }, this.chosen, this.pickButton, this.selectButton, this.clearButton, el("span", { class: "gap" }),
        this.button([icon("focus"), el("span", {}, "Focus")], () => on.focus(), { class: "quiet look", title: "One large item (F)", "aria-label": "Focus view" }),
        this.codebookButton,
        this.button([icon("keys"), el("span", {}, "Keys")], () => on.keys(), { class: "quiet look", title: "All keys (?)", "aria-label": "Keys" }),
        this.tileSlider(), this.pageSizePicker(), this.pagers[0].root),
      el("div", { class: "row progress-row" }, el("div", { class: "bar" }, this.fill), this.progress, this.why), this.legend, this.message);
    this.bottom = this.pagers[1].root;
  }

  button(children, onPress, attributes = {}) {
    const button = el("button", { type: "button", ...attributes }, ...children);
    button.addEventListener("click", () => {
      onPress();
      this.on.taken();
    });
    return button;
  }

  pager(place) {
    const label = el("span", { class: "page-label" });
    const number = el("input", { type: "text", inputmode: "numeric", class: "page-number", "aria-label": "Go to page", title: "Type a page and press Enter" });
    number.addEventListener("focus", () => number.select());
    number.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && Number.isInteger(Number(number.value))) this.on.goTo(Number(number.value));
      if (["Enter", "Escape"].includes(event.key)) this.on.taken();
    });
    const previous = this.button([icon("left")], () => this.on.turn(-1), { title: "Previous page (Page Up)", class: "quiet", "aria-label": "Previous page" });
    const next = this.button([icon("right")], () => this.on.turn(1), { title: "Next page (Page Down)", class: "quiet", "aria-label": "Next page" });
    return { label, number, previous, next, root: el("span", { class: `pager ${place}` }, previous, number, label, next) };
  }

  tileSlider() {
    this.tile = el("input", { type: "range", class: "tile-size", title: "Size of the tiles", "aria-label": "Size of the tiles", ...this.card.tilePx });
    this.tile.addEventListener("input", () => this.on.tileSize(Number(this.tile.value)));
    return this.tile;
  }

  pageSizePicker() {
    this.size = el("select", { "aria-label": "Items on a page", title: "Items on a page" },
      ...PAGE_SIZES.map((size) => el("option", { value: String(size) }, `${size} a page`)));
    this.size.addEventListener("change", () => {
      this.on.pageSize(Number(this.size.value));
      this.on.taken();
    });
    return this.size;
  }

  /** Show the size if it is one that can be picked; returns the size to use. */
  takePageSize(wanted) {
    const size = PAGE_SIZES.includes(wanted) ? wanted : this.card.usual.pageSize;
    this.size.value = String(size);
    return size;
  }

  // -------------------------------------------------------------- painting

  /** order: the classes in the order of their keys; byProbability: whether that is the framed item's own. */
  paintClasses(order, byProbability) {
    const keyed = order.slice(0, nKeyed(order.length, byProbability));
    const key = `${byProbability} ${keyed.join("\n")} ${order.length}`;
    if (key === this.paintedClasses) return;
    this.paintedClasses = key;
    const chips = keyed.map((name, place) =>
      this.button([el("kbd", {}, keyOfPlace(place)), el("span", {}, name)], () => this.on.decide("class", name), { class: "chip", title: this.words.pick(name), "data-name": name }));
    const others = order.length - chips.length;
    const find = this.button([icon("find"), el("span", {}, others > 0 ? `${others.toLocaleString("en")} more` : "Find"), el("kbd", {}, "/")], () => this.on.find(), { class: "quiet find", title: "Find a class by its name (/ or any letter)" });
    const toggle = this.button([byProbability ? "Keys: most probable" : "Keys: fixed"], () => this.on.keyOrder(), { class: "quiet key-order", "aria-pressed": String(byProbability), title: "Whether the class keys stay where they are or follow the framed item's probabilities" });
    this.classes.replaceChildren(el("span", { class: "row-name" }, this.words.row), ...chips, find, toggle);
  }

  /** pressed: the names of the classes whose buttons are, a Set; null = they have no such state */
  paintPressed(pressed) {
    if (!pressed) return;
    for (const chip of this.classes.querySelectorAll(".chip")) chip.setAttribute("aria-pressed", String(pressed.has(chip.dataset.name)));
  }

  paintSelection(selection, framed, total) {
    const n = selection.everything ? total : selection.selected.size;
    const whole = selection.everything ? "All " : "";
    this.chosen.textContent = n ? `${whole}${plural(n, "item", "items")}${selection.everything ? " of this filter" : ""} selected` : "Acts on the framed item";
    this.chosen.classList.toggle("everything", selection.everything);
    this.why.textContent = framed && !framed.blind ? quoted(framed.reason) : "";
    this.clearButton.hidden = n === 0;
    this.selectButton.textContent = selection.selected.size > 1 && !selection.everything ? `Select all ${total.toLocaleString("en")}` : "Select page";
    this.selectButton.hidden = selection.everything;
  }

  paintProgress({ nDecided, total, pace, undoable }) {
    this.progress.textContent = progressText(nDecided, total, pace);
    this.fill.style.width = `${total ? (100 * nDecided) / total : 0}%`;
    this.undo.disabled = !undoable?.undo;
    this.redo.disabled = !undoable?.redo;
  }

  paintPager(number, nPages, total) {
    for (const { label, number: field, previous, next } of this.pagers) {
      field.value = String(number);
      field.hidden = total === 0;
      label.textContent = total ? `of ${plural(nPages, "page", "pages")}` : "";
      previous.disabled = number <= 1;
      next.disabled = number >= nPages;
    }
    this.bottom.hidden = nPages <= 1;
  }

  paintSaved({ nWaiting, offline, blocked, message }) {
    this.saved.classList.toggle("problem", offline);
    this.saved.classList.toggle("waiting", nWaiting > 0 && !offline);
    if (offline) {
      const acts = plural(nWaiting, "act", "acts");
      this.saved.textContent = `${blocked ? "Cannot save" : "Offline"}: ${acts} unsaved`;
      const then = blocked ? "No more decisions are taken until it can save." : "";
      this.say(`${message} Your last ${acts} ${nWaiting === 1 ? "is" : "are"} kept in this browser and sent again. ${then}`.trim(), "problem");
    } else {
      if (this.wasOffline) this.say("");
      this.saved.textContent = nWaiting ? "Saving …" : "Saved";
    }
    this.wasOffline = offline;
  }

  paintLegend(nodes) {
    this.legend.replaceChildren(...nodes);
    this.legend.hidden = nodes.length === 0;
  }

  say(text, kind = "", ...more) {
    this.message.className = `message ${kind}`;
    this.message.replaceChildren(text, ...more);
    this.message.hidden = !text;
  }
}
