// The label grid: tiles, toolbar and keys over logic.js; one instance per mount, updated when Streamlit sends new data.

import { Api } from "./api.js";
import { el, icon } from "./dom.js";
import {
  afterAct,
  classKey,
  clickTile,
  commandOf,
  decisionsFor,
  emptySelection,
  moveCursor,
  optimisticState,
  plural,
  quoted,
  selectAll,
  targetsOf,
  toggleTile,
} from "./logic.js";
import { Outbox } from "./outbox.js";
import { Pictures } from "./pictures.js";
import { adoptOrphans, claimClientId, outboxKey } from "./tabs.js";
import { Tile } from "./tile.js";

const MAX_CHIPS = 20;
const PAGE_SIZES = [30, 60, 120, 300];
const instances = new WeakMap();

/** Called by the component's loader on every change of its data. */
export function mount(component) {
  const parent = component.parentElement;
  let grid = instances.get(parent);
  if (!grid) {
    grid = new Grid(parent);
    instances.set(parent, grid);
  }
  grid.update(component);
  return () => {
    grid.destroy();
    instances.delete(parent);
  };
}

class Grid {
  constructor(parent) {
    this.selection = emptySelection();
    this.items = [];
    this.tiles = [];
    this.total = 0;
    this.decided = 0;
    this.pageNumber = 1;
    this.nextPage = null;
    this.root = el("section", { class: "grid-root", tabindex: "-1", "aria-label": "Label grid" });
    this.pictures = new Pictures((itemIds) => this.api.thumbnails(itemIds));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    parent.appendChild(this.root);
  }

  update({ data, setTriggerValue }) {
    const first = !this.data;
    const viewChanged = first || data.view !== this.data.view;
    const classesChanged = first || data.classes.join("\n") !== this.data.classes.join("\n");
    this.data = data;
    this.trigger = setTriggerValue;
    this.api ??= new Api({ base: data.api, token: data.token });
    this.api.token = data.token;
    if (classesChanged) this.build();
    if (first) this.start();
    else if (viewChanged) this.show(1);
  }

  async start() {
    const params = new URLSearchParams(window.location.search);
    this.size = PAGE_SIZES.find((size) => String(size) === params.get("size")) || Number(localStorage.getItem("winnow:size")) || 60;
    this.sizeSelect.value = String(this.size);
    this.client = await claimClientId(this.data.project);
    this.outbox = new Outbox({
      key: outboxKey(this.data.project, this.client),
      storage: localStorage,
      post: (acts) => this.post(this.client, acts),
      onChange: (state) => this.paintSaved(state),
      onAnswer: (acts, answer) => this.reconcile(answer),
    });
    this.outbox.flush();
    await this.show(Number(params.get("page")) || 1);
    adoptOrphans(this.data.project, this.client, (client, acts) => this.post(client, acts))
      .catch((failure) => this.say(failure.message, "problem"));
  }

  async post(client, acts) {
    try {
      return await this.api.decide(client, acts);
    } catch (failure) {
      if (failure.status === 401) this.trigger("renew", Date.now());
      throw failure;
    }
  }

  destroy() {
    this.pictures.clear();
    this.root.remove();
  }

  // -------------------------------------------------------------- building

  build() {
    this.root.replaceChildren(this.toolbar(), this.stage(), this.pager("bottom"));
  }

  toolbar() {
    const choices = [
      ["right", "check", "Label is right", "Q"],
      ["accept", "robot", "Accept prediction", "W"],
      ["unsure", "question", "Unsure", "N"],
      ["exclude", "cross", "Exclude", "E"],
      ["scope", "out", "Out of scope", "O"],
    ];
    const verdicts = choices.map(([choice, sign, text, key]) =>
      this.button([icon(sign), el("span", {}, text), el("kbd", {}, key)], () => this.decide(choice), { title: `${text} (${key})` }));
    this.undoButton = this.button([icon("undo"), el("span", {}, "Undo")], () => this.stepBack("undo"), { title: "Undo your last act (Ctrl+Z)", class: "step", "aria-label": "Undo" });
    this.redoButton = this.button([icon("redo"), el("span", {}, "Redo")], () => this.stepBack("redo"), { title: "Redo (Ctrl+Shift+Z)", class: "step", "aria-label": "Redo" });
    this.saved = el("span", { class: "saved", role: "status", "aria-live": "polite" });
    this.message = el("div", { class: "message", role: "alert" });
    this.chosen = el("span", { class: "chosen" });
    this.why = el("p", { class: "why", title: "Why the framed item is here" });
    this.selectButton = this.button(["Select page"], () => this.select(selectAll(this.selection, this.items.length)), { title: "Ctrl+A", class: "quiet" });
    this.clearButton = this.button(["Clear"], () => this.select({ ...this.selection, selected: new Set() }), { title: "Escape", class: "quiet" });
    this.bar = el("div", { class: "bar" }, el("div", { class: "fill" }));
    this.progress = el("span", { class: "progress-text" });
    return el("div", { class: "toolbar" },
      el("div", { class: "row" }, ...verdicts, el("span", { class: "gap" }), this.undoButton, this.redoButton, this.saved),
      el("div", { class: "row classes" }, el("span", { class: "row-name" }, "Relabel as"), ...this.classPicker()),
      el("div", { class: "row" }, this.chosen, this.selectButton, this.clearButton, el("span", { class: "gap" }), this.progress, this.bar, this.pager("top")),
      this.why, this.message);
  }

  classPicker() {
    const { classes } = this.data;
    const chips = classes.slice(0, MAX_CHIPS).map((name, index) =>
      this.button([el("kbd", {}, classKey(index)), el("span", {}, name)], () => this.decide("class", name), { class: "chip", title: `Relabel as ${name}` }));
    if (classes.length <= MAX_CHIPS) return chips;
    const rest = el("select", { class: "more-classes", "aria-label": "Relabel as another class" },
      el("option", { value: "" }, `All ${classes.length} classes …`),
      ...classes.map((name) => el("option", { value: name }, name)));
    rest.addEventListener("change", () => {
      if (rest.value) this.decide("class", rest.value);
      rest.value = "";
      this.root.focus({ preventScroll: true });
    });
    return [...chips, rest];
  }

  stage() {
    this.empty = el("p", { class: "empty" });
    this.list = el("div", { class: "tiles", role: "listbox", "aria-multiselectable": "true", "aria-label": "Items" });
    this.list.addEventListener("click", (event) => this.onClick(event));
    this.list.addEventListener("dblclick", (event) => this.onDoubleClick(event));
    this.tiles = [];
    return el("div", { class: "stage" }, this.empty, this.list);
  }

  pager(place) {
    const label = el("span", { class: "page-label" });
    const previous = this.button([icon("left")], () => this.show(this.pageNumber - 1), { title: "Previous page (Page Up)", class: "quiet", "aria-label": "Previous page" });
    const next = this.button([icon("right")], () => this.show(this.pageNumber + 1), { title: "Next page (Page Down)", class: "quiet", "aria-label": "Next page" });
    this.pagers ??= {};
    this.pagers[place] = { label, previous, next };
    const parts = [previous, label, next];
    if (place === "top") parts.unshift(this.pageSizePicker());
    return el("span", { class: `pager ${place}` }, ...parts);
  }

  pageSizePicker() {
    this.sizeSelect = el("select", { "aria-label": "Items on a page", title: "Items on a page" },
      ...PAGE_SIZES.map((size) => el("option", { value: String(size) }, `${size} a page`)));
    this.sizeSelect.addEventListener("change", () => {
      const firstItem = (this.pageNumber - 1) * this.size;
      this.size = Number(this.sizeSelect.value);
      localStorage.setItem("winnow:size", String(this.size));
      this.nextPage = null;
      this.show(Math.floor(firstItem / this.size) + 1);
    });
    return this.sizeSelect;
  }

  button(children, onPress, attributes = {}) {
    const button = el("button", { type: "button", ...attributes }, ...children);
    button.addEventListener("click", () => {
      onPress();
      this.root.focus({ preventScroll: true });
    });
    return button;
  }

  // -------------------------------------------------------------- pages

  async show(number) {
    const wanted = Math.max(1, number);
    const request = (this.request = Symbol("page"));
    try {
      const page = await this.fetchPage(wanted);
      if (request !== this.request) return;
      this.paintPage(page);
      await this.pictures.load(this.items.map((item) => item.item_id));
      if (request !== this.request) return;
      this.tiles.forEach((tile) => tile.showPicture(this.pictures));
      this.say("");
      this.prefetch(page);
    } catch (failure) {
      if (request === this.request) this.showFailure(failure, wanted);
    }
  }

  showFailure(failure, number) {
    if (failure.status === 401) this.trigger("renew", Date.now());
    this.say(`${failure.message} `, "problem", this.button(["Try again"], () => this.show(number)));
  }

  async fetchPage(number) {
    const ready = this.nextPage;
    this.nextPage = null;
    if (ready && ready.number === number && ready.view === this.data.view) return ready.promise;
    return this.api.page(this.data.query, number, this.size);
  }

  prefetch(page) {
    if (page.page >= page.n_pages) return;
    const number = page.page + 1;
    const promise = this.api.page(this.data.query, number, this.size);
    this.nextPage = { number, view: this.data.view, promise };
    promise
      .then((next) => this.pictures.load(next.items.item_id))
      .catch(() => { this.nextPage = null; });
  }

  paintPage(page) {
    const stay = page.page === this.pageNumber && page.view === this.shownView;
    const first = this.shownView === undefined;
    this.shownView = page.view;
    this.pageNumber = page.page;
    this.nPages = page.n_pages;
    this.total = page.total;
    this.decided = page.n_decided;
    this.undoable = { undo: page.can_undo, redo: page.can_redo };
    this.items = rowsOf(page.items);
    const waiting = this.outbox.waiting();
    for (const item of this.items) if (waiting.has(item.item_id)) Object.assign(item, optimisticState(item, waiting.get(item.item_id)));
    if (!stay) this.selection = emptySelection();
    this.layTiles();
    this.paintAll();
    this.writeUrl();
    if (!stay && !first) this.root.scrollIntoView({ block: "start" });
    if (!this.root.contains(this.root.getRootNode().activeElement)) this.focusGrid();
  }

  /** Take the keyboard unless the person is in one of the page's own fields. */
  focusGrid() {
    const active = document.activeElement;
    if (!active || active === document.body || active.tagName !== "INPUT") this.root.focus({ preventScroll: true });
  }

  layTiles() {
    while (this.tiles.length < this.items.length) this.tiles.push(new Tile(this.tiles.length));
    const shown = this.tiles.slice(0, this.items.length);
    this.list.replaceChildren(...shown.map((tile) => tile.root));
    shown.forEach((tile, index) => tile.show(this.items[index], this.pictures, this.data.by));
    this.empty.hidden = this.items.length > 0;
    this.empty.textContent = this.data.empty_text;
  }

  writeUrl() {
    const url = new URL(window.location.href);
    url.searchParams.set("page", String(this.pageNumber));
    url.searchParams.set("size", String(this.size));
    window.history.replaceState(window.history.state, "", url);
  }

  // -------------------------------------------------------------- painting

  paintAll() {
    this.paintSelection();
    this.paintProgress();
    for (const { label, previous, next } of Object.values(this.pagers)) {
      label.textContent = this.total ? `Page ${this.pageNumber} of ${this.nPages}` : "";
      previous.disabled = this.pageNumber <= 1;
      next.disabled = this.pageNumber >= this.nPages;
    }
    this.pagers.bottom.label.parentElement.hidden = this.nPages <= 1;
  }

  paintSelection() {
    this.items.forEach((item, index) =>
      this.tiles[index].mark({ selected: this.selection.selected.has(index), cursor: this.selection.cursor === index }));
    const n = this.selection.selected.size;
    const framed = this.items[this.selection.cursor];
    this.chosen.textContent = n ? `${plural(n, "item", "items")} selected` : "Acts on the framed item";
    this.why.textContent = framed ? quoted(framed.reason) : "";
    this.clearButton.hidden = n === 0;
  }

  paintProgress() {
    const share = this.total ? this.decided / this.total : 0;
    this.progress.textContent = `${this.decided.toLocaleString("en")} of ${plural(this.total, "item", "items")} decided`;
    this.bar.firstChild.style.width = `${100 * share}%`;
    this.undoButton.disabled = !this.undoable?.undo;
    this.redoButton.disabled = !this.undoable?.redo;
  }

  paintSaved({ nWaiting, offline, message }) {
    this.saved.classList.toggle("problem", offline);
    this.saved.classList.toggle("waiting", nWaiting > 0 && !offline);
    if (offline) {
      this.saved.textContent = `Not saved: ${plural(nWaiting, "act", "acts")}`;
      this.say(`${message} Your last ${plural(nWaiting, "act is", "acts are")} kept in this browser and sent again.`, "problem");
    } else {
      if (this.wasOffline) this.say("");
      this.saved.textContent = nWaiting ? "Saving …" : "Saved";
    }
    this.wasOffline = offline;
  }

  say(text, kind = "", ...more) {
    this.message.className = `message ${kind}`;
    this.message.replaceChildren(text, ...more);
    this.message.hidden = !text;
  }

  // -------------------------------------------------------------- acts

  decide(choice, label) {
    const positions = targetsOf(this.selection, this.items.length);
    if (!positions.length) return;
    if (this.data.locked && positions.some((index) => this.items[index].split === "test")) {
      this.say("Test items are locked: they are the gold standard. Unlock them above the grid first.", "problem");
      return;
    }
    const items = positions.map((index) => this.items[index]);
    const { decisions, nRefused, reason } = decisionsFor(choice, items, label);
    this.say(nRefused ? `${plural(nRefused, "item", "items")} left as before: ${reason}.` : "", nRefused ? "note" : "");
    if (decisions.length) this.apply(decisions);
  }

  apply(decisions) {
    const byId = new Map(decisions.map((decision) => [decision.item_id, decision]));
    this.items.forEach((item, index) => {
      const decision = byId.get(item.item_id);
      if (!decision) return;
      if (!item.verdict) this.decided += 1;
      Object.assign(item, optimisticState(item, decision), { event: null });
      this.tiles[index].showState(item);
    });
    this.outbox.add({ decisions, queue: this.data.queue });
    this.undoable = { undo: true, redo: false };
    this.select(afterAct(this.selection, (index) => !this.items[index].verdict, this.items.length));
    this.paintProgress();
  }

  /** Take the server's states for what it has committed, except where a newer act is still on its way. */
  reconcile(answer) {
    const waiting = this.outbox.waiting();
    const problems = answer.results.flatMap((result) => [result.error, ...result.conflicts].filter(Boolean));
    this.items.forEach((item, index) => {
      const state = answer.states[item.item_id];
      if (!state || waiting.has(item.item_id)) return;
      if (Boolean(item.verdict) !== Boolean(state.verdict)) this.decided += state.verdict ? 1 : -1;
      Object.assign(item, state, { pending: false });
      this.tiles[index].showState(item);
    });
    this.undoable = { undo: answer.can_undo, redo: answer.can_redo };
    this.paintProgress();
    this.root.dispatchEvent(new CustomEvent("committed", { detail: answer, bubbles: true, composed: true }));
    if (problems.length) this.say(problems.join(" "), "problem");
  }

  async stepBack(direction) {
    await this.outbox.flush();
    const seq = this.outbox.takeNumber();
    try {
      const answer = await patiently(() => this.api.step(direction, this.client, seq));
      this.nextPage = null;
      await this.show(this.pageNumber);
      this.say(answer.message, answer.conflicts.length ? "problem" : "note");
    } catch (failure) {
      this.say(`${direction === "undo" ? "Undo" : "Redo"} did not reach the server: ${failure.message}`, "problem");
    }
  }

  // -------------------------------------------------------------- keyboard and mouse

  onKey(event) {
    const target = event.composedPath()[0];
    if (target.tagName === "SELECT" || target.tagName === "INPUT") return;
    const onButton = target.tagName === "BUTTON" && (event.key === " " || event.key === "Enter");
    const press = { key: event.key, code: event.code, ctrl: event.ctrlKey || event.metaKey, shift: event.shiftKey, alt: event.altKey };
    const command = onButton ? null : commandOf(press, this.data.classes.length);
    if (!command) {
      if (!press.ctrl && !press.alt && event.key.length === 1) event.stopPropagation();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.run(command);
  }

  run(command) {
    const n = this.items.length;
    if (command.type === "undo" || command.type === "redo") this.stepBack(command.type);
    else if (command.type === "page") this.turnPage(command.step);
    else if (n === 0) return;
    else if (command.type === "decide") this.decide(command.choice, this.data.classes[command.classIndex]);
    else if (command.type === "toggle") this.select(toggleTile(this.selection));
    else if (command.type === "selectAll") this.select(selectAll(this.selection, n));
    else if (command.type === "clear") this.select({ ...this.selection, selected: new Set() });
    else if (command.type === "move") this.select(moveCursor(this.selection, command.direction, command.extend, this.nColumns(), n));
  }

  turnPage(step) {
    const number = this.pageNumber + step;
    if (number >= 1 && number <= this.nPages) this.show(number);
  }

  nColumns() {
    return getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
  }

  select(selection) {
    this.selection = selection;
    this.paintSelection();
    this.tiles[selection.cursor]?.root.scrollIntoView({ block: "nearest" });
  }

  onClick(event) {
    const index = this.positionOf(event);
    if (index === null) return;
    this.selection = clickTile(this.selection, index, { ctrl: event.ctrlKey || event.metaKey, shift: event.shiftKey });
    this.paintSelection();
    this.root.focus({ preventScroll: true });
  }

  async onDoubleClick(event) {
    const index = this.positionOf(event);
    if (index === null) return;
    const item = this.items[index];
    const image = el("img", { alt: `${item.path}, full size`, src: URL.createObjectURL(await this.api.picture(item.item_id)) });
    const dialog = el("dialog", { class: "zoom", "aria-label": "Full picture" }, image, el("p", {}, item.path));
    dialog.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      URL.revokeObjectURL(image.src);
      dialog.remove();
      this.root.focus({ preventScroll: true });
    });
    this.root.appendChild(dialog);
    dialog.showModal();
  }

  positionOf(event) {
    const tile = event.target.closest(".tile");
    return tile ? Number(tile.dataset.index) : null;
  }
}

/** Try a few times; for what is safe to repeat. */
async function patiently(ask, tries = 3) {
  for (let left = tries; ; left -= 1) {
    try {
      return await ask();
    } catch (failure) {
      if (left <= 1 || failure.status) throw failure;
      await new Promise((done) => setTimeout(done, 400));
    }
  }
}

/** Column arrays, as they come over the wire, to one object an item. */
function rowsOf(columns) {
  const names = Object.keys(columns);
  return columns.item_id.map((_, index) => Object.fromEntries(names.map((name) => [name, columns[name][index]])));
}
