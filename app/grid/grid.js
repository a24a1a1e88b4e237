// The label grid: one instance per mount, updated when Streamlit sends new data. It holds the page that is shown, and
// brings together the bar, the tiles, the focus view, the codebook, the outbox and what others decide.

import { Api } from "./api.js";
import { CARDS } from "./cards.js";
import { classOfDigit, followsProbability, nKeyed, orderByProbability, withRecent } from "./classes.js";
import { Codebook } from "./codebook.js";
import { ask, holdItem, showKeys } from "./dialogs.js";
import { afterPaint, el } from "./dom.js";
import { Finder } from "./finder.js";
import { FocusView } from "./focus.js";
import { LABELS } from "./labels.js";
import {
  ASK_ABOVE,
  afterAct,
  bulkDone,
  bulkQuestion,
  clearSelection,
  clickTile,
  commandOf,
  conflictOf,
  decisionsFor,
  emptySelection,
  moveCursor,
  nameOf,
  nextOpen,
  optimisticState,
  plural,
  problemsOf,
  selectAll,
  targetsOf,
  toggleTile,
  verdictOn,
} from "./logic.js";
import { News } from "./news.js";
import { Outbox } from "./outbox.js";
import { Preferences } from "./preferences.js";
import { adoptOrphans, claimClientId, outboxKey } from "./tabs.js";
import { Tile } from "./tile.js";
import { Toolbar } from "./toolbar.js";
import { Watch } from "./watch.js";

const HOLD_MS = 350;
// While answers to own acts say that nobody else decides, what changed is asked for every third time only.
const FRESH_MS = 1200;
const ASK_EVERY = 3;
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
    this.nDecided = 0;
    this.pageNumber = 1;
    this.nPages = 1;
    this.nextPage = null;
    this.event = Infinity; // the last event that the page knows of; it knows none before it is there
    this.paced = 0;
    this.picking = false;
    this.followedAt = -Infinity; // when an answer to an own act last said that nobody else had decided anything
    this.nLeftOut = 0;
    this.undoable = { undo: false, redo: false };
    this.root = el("section", { class: "grid-root", "aria-label": "Label grid" });
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    parent.appendChild(this.root);
  }

  update({ data, setTriggerValue }) {
    const first = !this.data;
    const viewChanged = first || data.view !== this.data.view;
    this.data = data;
    this.trigger = setTriggerValue;
    this.api ??= new Api({ base: data.api, token: data.token });
    this.api.token = data.token;
    if (first) this.start();
    else if (viewChanged) this.show(1);
    else this.paintClasses();
  }

  async start() {
    this.card = CARDS[this.data.card];
    this.labels = LABELS[this.data.labels];
    this.root.dataset.card = this.data.card;
    this.contents = this.card.store({ api: () => this.api, query: () => this.data.query });
    this.preferences = new Preferences(localStorage, this.data.project, this.card);
    this.build();
    const params = new URLSearchParams(window.location.search);
    this.size = this.toolbar.takePageSize(Number(params.get("size")) || this.preferences.pageSize);
    this.setTileSize(this.preferences.tilePx);
    const number = Number(params.get("page")) || 1;
    this.ask(number);
    this.client = await claimClientId(this.data.project);
    this.outbox = new Outbox({
      key: outboxKey(this.data.project, this.client),
      storage: localStorage,
      post: (acts) => this.post(this.client, acts),
      onChange: (state) => this.toolbar.paintSaved(state),
      onAnswer: (acts, answer) => this.reconcile(acts, answer),
    });
    this.outbox.flush();
    await this.show(number);
    this.watch = new Watch({
      ask: () => this.askForChanges(),
      onChanges: (changes) => this.takeChanges(changes),
      onFailure: (failure) => this.showAway(failure),
    });
    adoptOrphans(this.data.project, this.client, (client, acts) => this.post(client, acts))
      .catch((failure) => this.say(failure.message, "problem"));
  }

  async post(client, acts) {
    try {
      return await this.api.decide(client, acts);
    } catch (failure) {
      if (isOutOfDate(failure)) this.trigger("renew", Date.now());
      throw failure;
    }
  }

  destroy() {
    this.watch?.stop();
    this.contents?.clear();
    this.root.remove();
  }

  // -------------------------------------------------------------- building

  build() {
    this.toolbar = new Toolbar({
      decide: (choice, label) => this.decide(choice, label),
      step: (direction) => this.stepBack(direction),
      find: () => this.openFinder(""),
      keys: () => this.showKeys(),
      focus: () => this.toggleFocus(),
      codebook: () => this.toggleCodebook(),
      pick: () => this.togglePicking(),
      selectAll: () => this.selectAll(),
      clear: () => this.select(clearSelection(this.selection)),
      turn: (step) => this.turnPage(step),
      goTo: (number) => this.show(Math.min(number, this.nPages)),
      pageSize: (size) => this.setPageSize(size),
      tileSize: (px) => this.setTileSize(px),
      keyOrder: () => this.toggleKeyOrder(),
      taken: () => this.takeKeyboard(),
    }, this.card, this.labels);
    this.finder = new Finder({
      words: this.labels.words,
      onPick: (name) => this.decide("class", name),
      onLeave: (takeBack) => takeBack && this.takeKeyboard(),
    });
    this.toolbar.finderPlace.append(this.finder.root);
    this.news = new News({
      button: (...made) => this.toolbar.button(...made),
      on: { update: () => this.updateQueue(), show: (runId) => this.trigger("show_run", runId) },
      preferences: this.preferences,
    });
    this.toolbar.message.before(this.news.root);
    this.focusView = new FocusView({
      api: () => this.api,
      card: this.card,
      labels: this.labels,
      classes: () => this.data.classes,
      contents: this.contents,
      query: () => this.data.query,
      onClass: (name) => { this.decide("class", name); this.takeKeyboard(); },
      onLeave: () => this.toggleFocus(),
    });
    this.codebook = new Codebook({
      api: () => this.api,
      query: () => this.data.query,
      card: this.card,
      labels: this.labels,
      contents: this.contents,
      framed: () => this.items[this.selection.cursor],
    });
    this.empty = el("p", { class: "empty" });
    this.list = el("div", { class: "tiles", role: "listbox", tabindex: "0", "aria-multiselectable": "true", "aria-label": "Items" });
    this.list.addEventListener("click", (event) => this.onClick(event));
    this.list.addEventListener("dblclick", (event) => pickedClass(event) ?? this.toggleFocus());
    this.list.addEventListener("pointerdown", (event) => this.onHold(event));
    this.list.addEventListener("contextmenu", (event) => event.pointerType === "touch" && event.preventDefault());
    this.root.replaceChildren(this.toolbar.root,
      el("div", { class: "body" }, el("div", { class: "stage" }, this.empty, this.focusView.root, this.list, this.toolbar.bottom), this.codebook.root));
    this.openCodebook(this.preferences.codebook ?? this.root.clientWidth > 1080);
  }

  // -------------------------------------------------------------- pages

  async show(number) {
    const wanted = Math.max(1, number);
    const request = (this.request = Symbol("page"));
    try {
      const page = await this.fetchPage(wanted);
      if (request !== this.request) return;
      this.paintPage(page);
      await this.contents.load(this.items);
      if (request !== this.request) return;
      this.tiles.forEach((tile) => tile.showContent(this.contents, this.data.query));
      this.toolbar.paintLegend(this.items.length ? this.card.legend(this.items.map((item) => this.contents.get(item)), this.labels.words) : []);
      this.prefetch(page);
    } catch (failure) {
      if (request === this.request) this.showFailure(failure, wanted);
    }
  }

  showFailure(failure, number) {
    if (isOutOfDate(failure)) this.trigger("renew", Date.now());
    this.say(`${failure.message} `, "problem", this.toolbar.button(["Try again"], () => this.show(number)));
  }

  async fetchPage(number) {
    const ready = this.nextPage;
    this.nextPage = null;
    if (ready && ready.number === number && ready.size === this.size && ready.view === this.data.view) {
      const page = await ready.promise;
      this.event = Math.min(this.event, page.event);
      return page;
    }
    const page = await this.api.page(this.data.query, number, this.size);
    this.event = page.event;
    return page;
  }

  prefetch(page) {
    if (page.page >= page.n_pages) return;
    this.ask(page.page + 1);
  }

  /** Ask for a page, and what its cards show, before it is wanted. */
  ask(number) {
    const promise = this.api.page(this.data.query, number, this.size);
    this.nextPage = { number, size: this.size, view: this.data.view, promise };
    promise
      .then((next) => this.contents.load(rowsOf(next.items)))
      .catch(() => { this.nextPage = null; });
  }

  paintPage(page) {
    const stay = page.page === this.pageNumber && this.data.view === this.shownView;
    const first = this.shownView === undefined;
    this.shownView = this.data.view;
    this.pageNumber = page.page;
    this.nPages = page.n_pages;
    this.total = page.total;
    this.nDecided = page.n_decided;
    this.takePace(page);
    this.undoable = { undo: page.can_undo, redo: page.can_redo };
    this.items = rowsOf(page.items);
    const waiting = this.outbox.waiting();
    for (const item of this.items) if (waiting.has(item.item_id)) Object.assign(item, optimisticState(item, waiting.get(item.item_id)));
    if (!stay) this.selection = emptySelection();
    if (!stay) this.say("");
    this.layTiles();
    this.paintSelection();
    this.toolbar.paintPager(this.pageNumber, this.nPages, this.total);
    this.writeUrl();
    if (!stay && !first) this.root.scrollIntoView({ block: "start" });
    if (!this.root.contains(this.root.getRootNode().activeElement)) this.takeKeyboardIfFree();
  }

  layTiles() {
    while (this.tiles.length < this.items.length) this.tiles.push(new Tile(this.tiles.length, this.card, this.labels));
    const shown = this.tiles.slice(0, this.items.length);
    this.list.replaceChildren(...shown.map((tile) => tile.root));
    shown.forEach((tile, index) => tile.show(this.items[index], this.contents, this.data));
    this.empty.hidden = this.items.length > 0;
    this.empty.textContent = this.data.empty_text;
    if (!this.items.length) this.leaveFocus();
  }

  writeUrl() {
    const url = new URL(window.location.href);
    url.searchParams.set("page", String(this.pageNumber));
    url.searchParams.set("size", String(this.size));
    window.history.replaceState(window.history.state, "", url);
  }

  setPageSize(size) {
    const firstItem = (this.pageNumber - 1) * this.size;
    this.size = this.toolbar.takePageSize(size);
    this.preferences.pageSize = this.size;
    this.show(Math.floor(firstItem / this.size) + 1);
  }

  setTileSize(px) {
    this.toolbar.tile.value = String(px);
    this.root.style.setProperty("--tile-min", `${px}px`);
    this.preferences.tilePx = px;
  }

  turnPage(step) {
    const number = this.pageNumber + step;
    if (number >= 1 && number <= this.nPages) this.show(number);
  }

  // -------------------------------------------------------------- painting

  get framed() {
    return this.items[this.selection.cursor];
  }

  paintSelection() {
    this.items.forEach((item, index) =>
      this.tiles[index].mark({ selected: this.selection.everything || this.selection.selected.has(index), cursor: this.selection.cursor === index }));
    this.list.setAttribute("aria-activedescendant", this.framed ? this.tiles[this.selection.cursor].root.id : "");
    if (this.focusView.isOpen && this.framed && this.framed !== this.focusView.item) this.focusView.show(this.framed);
    this.paintAround();
  }

  /** Paint what stands around the tiles, a frame after them: nobody's hand waits for it. */
  paintAround() {
    if (this.aroundIsDue) return;
    this.aroundIsDue = true;
    afterPaint(() => {
      this.aroundIsDue = false;
      this.toolbar.paintSelection(this.selection, this.framed, this.total);
      this.paintClasses();
      this.toolbar.paintProgress({ nDecided: this.nDecided, total: this.total, pace: this.pace, undoable: this.undoable });
      this.codebook.show(this.subject());
    });
  }

  /** What the codebook is about: the classes of the filter, else those of the framed item. */
  subject() {
    if (this.data.subject.length) return this.data.subject;
    return this.framed && !this.framed.blind ? this.labels.subject(this.framed) : [];
  }

  paintClasses() {
    this.toolbar.paintClasses(this.keyOrder(), this.keysByProbability);
    this.toolbar.paintPressed(this.labels.pressed(this.framed));
  }

  get keysByProbability() {
    return followsProbability(this.preferences.keysByProbability, this.data.classes.length);
  }

  keyOrder() {
    if (!this.keysByProbability || this.framed?.blind) return this.data.classes;
    return orderByProbability(this.data.classes, this.framed?.top);
  }

  paintState(index) {
    this.tiles[index].showState(this.items[index]);
    if (this.focusView.isOpen && this.focusView.item === this.items[index]) this.focusView.show(this.items[index]);
  }

  say(text, kind = "", ...more) {
    this.toolbar.say(text, kind, ...more);
  }

  // -------------------------------------------------------------- acts

  async decide(choice, label) {
    const positions = targetsOf(this.selection, this.items.length);
    if (!positions.length || this.refuses(positions)) return;
    if (choice === "class") this.preferences.recent = withRecent(this.preferences.recent, label);
    if (this.selection.everything) {
      await this.decideOnEverything(choice, label);
      return;
    }
    const items = positions.map((index) => this.items[index]);
    const isPick = choice === "class";
    const meant = isPick ? this.labels.meant(label, items) : choice;
    const picked = (item) => this.labels.wanted(meant, item, label, this.data.classes);
    const { decisions, nRefused, reason } = decisionsFor(meant, items, picked);
    if (positions.length > ASK_ABOVE) {
      const nAlready = this.nAlready(decisions) + items.length - decisions.length - nRefused;
      const preview = { n: positions.length, n_already: nAlready, n_refused: nRefused, reason };
      if (!(await this.confirm([meant], label, [preview]))) return;
    }
    this.say(nRefused ? `${plural(nRefused, "item", "items")} left as before: ${reason}.` : "", nRefused ? "note" : "");
    if (decisions.length) this.apply(decisions, isPick && this.labels.staysFramed);
  }

  refuses(positions) {
    if (this.outbox.blocked) {
      this.say(`Decisions cannot be saved, so none are taken until they can: ${this.outbox.message} What is unsaved is kept in this browser.`, "problem");
      return true;
    }
    if (this.data.locked && positions.some((index) => this.items[index].split === "test")) {
      this.say("Test items are locked: they are the gold standard. Unlock them above the grid first.", "problem");
      return true;
    }
    return false;
  }

  nAlready(decisions) {
    const items = new Map(this.items.map((item) => [item.item_id, item]));
    const isAlready = (item, decision) => verdictOn(item, decision) === item.verdict && (decision.label ?? item.label) === item.label;
    return decisions.filter((decision) => isAlready(items.get(decision.item_id), decision)).length;
  }

  /** Ask which of some choices to make, of which each has a preview; "" = none. */
  async confirm(choices, label, previews) {
    const offers = choices.map((choice, place) => [choice, bulkQuestion(choice, label, previews[place], this.labels), this.labels.choices[choice] ?? "Do it"]);
    const taken = await ask(this.root, offers);
    this.takeKeyboard();
    return taken;
  }

  /** One act on every item of the filter, sent as the filter; the page is read anew once it is committed. */
  async decideOnEverything(choice, label) {
    // What anybody else has decided since this page knows of it is left alone.
    const query = this.data.query.includes("as_of=") ? this.data.query : `${this.data.query}&as_of=${this.event}`;
    try {
      const choices = choice === "class" ? Object.keys(this.labels.choices) : [choice];
      const previews = await Promise.all(choices.map((each) => this.api.bulkPreview(query, each, label)));
      const [{ n }] = previews;
      const taken = n > ASK_ABOVE || choices.length > 1 ? await this.confirm(choices, label, previews) : choices[0];
      if (!taken) return;
      this.keep({ queue: this.data.queue, bulk: { query, choice: taken, label: label ?? null, expected_n: n } });
      this.select(clearSelection(this.selection));
    } catch (failure) {
      this.say(failure.message, "problem");
    }
  }

  /** Put an act into the outbox; false, and said, if the browser cannot keep it. */
  keep(act) {
    try {
      this.outbox.add(act);
      return true;
    } catch (error) {
      this.say(`This browser cannot keep the decision (${error.message}), so it was not taken. Free some space for this page.`, "problem");
      return false;
    }
  }

  /** stays: whether the frame and the selection stay, because more may follow on the same items */
  apply(decisions, stays) {
    if (!this.keep({ decisions, queue: this.data.queue })) return;
    const byId = new Map(decisions.map((decision) => [decision.item_id, decision]));
    this.items.forEach((item, index) => {
      const decision = byId.get(item.item_id);
      if (!decision) return;
      if (!item.verdict) this.nDecided += 1;
      Object.assign(item, optimisticState(item, decision), { event: null, annotator: this.data.annotator });
      this.paintState(index);
    });
    this.undoable = { undo: true, redo: false };
    this.select(stays ? this.selection : afterAct(this.selection, (index) => !this.items[index].verdict, this.items.length));
  }

  /** Take the server's states for what it has committed, except where a newer act is still on its way. */
  reconcile(acts, answer) {
    const waiting = this.outbox.waiting();
    const wanted = new Map(acts.flatMap((act) => act.decisions ?? []).map((decision) => [decision.item_id, decision]));
    this.takeStates(answer.states, waiting, wanted);
    this.followEvent(answer.event, answer.results.reduce((sum, result) => sum + result.n_changed, 0));
    this.undoable = { undo: answer.can_undo, redo: answer.can_redo };
    this.paintAround();
    this.root.dispatchEvent(new CustomEvent("committed", { detail: answer, bubbles: true, composed: true }));
    const bulk = answer.results.filter((_, place) => acts[place].bulk);
    const problems = answer.results.flatMap((result, place) => problemsOf(result, Boolean(acts[place].bulk)));
    if (bulk.length) this.afterBulk(bulk);
    if (problems.length) this.say(problems.join(" "), "problem");
  }

  async afterBulk(results) {
    this.nextPage = null;
    await this.show(this.pageNumber);
    const done = results.filter((result) => !result.error);
    if (done.length === results.length) this.say(done.map(bulkDone).join(" "), "note");
  }

  /** states: by item_id, as the server has committed them; wanted: what was asked for, by item_id, if anything was. */
  takeStates(states, waiting, wanted = new Map()) {
    this.items.forEach((item, index) => {
      const state = states[item.item_id];
      if (!state || waiting.has(item.item_id)) return;
      if (Boolean(item.verdict) !== Boolean(state.verdict)) this.nDecided += state.verdict ? 1 : -1;
      const conflict = wanted.has(item.item_id) ? conflictOf(item, wanted.get(item.item_id), state, this.data.annotator) : null;
      Object.assign(item, state, { pending: false, conflict });
      this.paintState(index);
    });
  }

  async stepBack(direction) {
    if (this.stepping) return;
    this.stepping = true;
    try {
      await this.outbox.flush();
      const seq = this.outbox.takeNumber();
      const answer = await patiently(() => this.api.step(direction, this.client, seq));
      this.nextPage = null;
      this.takeStates(answer.states, this.outbox.waiting());
      this.followEvent(answer.event, answer.n_changed);
      this.undoable = { undo: answer.can_undo, redo: answer.can_redo };
      this.paintAround();
      this.say(answer.message, answer.conflicts.length ? "problem" : "note");
      await this.refresh(answer);
    } catch (failure) {
      this.say(`${direction === "undo" ? "Undo" : "Redo"} was not done: ${failure.message}`, "problem");
    } finally {
      this.stepping = false;
    }
  }

  /** After a step over more items than an answer tells the states of, the page is read anew. */
  async refresh({ n_changed: nChanged, states }) {
    if (nChanged > Object.keys(states).length) await this.show(this.pageNumber);
    else this.watch?.now();
  }

  // -------------------------------------------------------------- what others decide

  askForChanges() {
    if (this.outbox.acts.length || this.stepping || this.shownView !== this.data.view) return null;
    const knowsAll = performance.now() - this.followedAt < FRESH_MS;
    this.nLeftOut = knowsAll ? (this.nLeftOut + 1) % ASK_EVERY : 0;
    if (this.nLeftOut) return null;
    return this.api.changes(this.data.query, this.pageNumber, this.size, this.event, this.paced);
  }

  /** pace: as of `event`, or null if it is not told. */
  takePace({ pace, event }) {
    if (!pace) return;
    this.pace = pace;
    this.paced = event;
  }

  /** After an own act of so many events: if nobody else's lie between, the page knows the log up to `event`. */
  followEvent(event, nOwn) {
    const knowsAll = this.event + nOwn === event;
    if (knowsAll) this.event = event;
    this.followedAt = knowsAll ? performance.now() : -Infinity;
  }

  takeChanges(changes) {
    this.news.paint(changes.news);
    if (this.outbox.acts.length) return;
    const changed = changes.event !== this.event;
    this.event = changes.event;
    if (!changed && !changes.pace) return;
    if (changed) this.nextPage = null;
    this.takePace(changes);
    this.takeStates(changes.states, this.outbox.waiting());
    this.nDecided = changes.n_decided;
    this.undoable = { undo: changes.can_undo, redo: changes.can_redo };
    this.paintAround();
  }

  showAway(failure) {
    if (failure && isOutOfDate(failure)) this.trigger("renew", Date.now());
    if (failure && !isOutOfDate(failure)) this.say(`${failure.message} Decisions are kept in this browser until it is back.`, "problem");
    if (!failure) this.say("");
  }

  /** Rank everything anew in the background; what is shown stays as it is until the person asks for the new order. */
  async updateQueue() {
    try {
      await this.outbox.flush();
      await this.api.updateQueue();
      this.watch?.now();
    } catch (failure) {
      this.say(`The queue was not updated: ${failure.message}`, "problem");
    }
  }

  // -------------------------------------------------------------- views beside the grid

  toggleFocus() {
    if (!this.framed) return;
    if (this.focusView.isOpen) {
      this.leaveFocus();
      this.select(this.selection);
    } else {
      this.selection = clearSelection(this.selection);
      this.list.classList.add("aside");
      this.focusView.open(this.framed);
      this.paintSelection();
      this.root.scrollIntoView({ block: "start" });
    }
    this.takeKeyboard();
  }

  openFocusOn(index) {
    this.select(emptySelection(index));
    this.toggleFocus();
  }

  leaveFocus() {
    this.focusView.close();
    this.list.classList.remove("aside");
  }

  toggleCodebook() {
    this.preferences.codebook = this.codebook.root.hidden;
    this.openCodebook(this.preferences.codebook);
    this.paintSelection();
  }

  openCodebook(isOpen) {
    this.codebook.root.hidden = !isOpen;
    this.toolbar.codebookButton.setAttribute("aria-pressed", String(isOpen));
  }

  toggleKeyOrder() {
    this.preferences.keysByProbability = !this.keysByProbability;
    this.paintClasses();
  }

  /** For fingers, which have no Ctrl: whether a tap adds a tile to the selection or takes it out. */
  togglePicking() {
    this.picking = !this.picking;
    this.toolbar.pickButton.setAttribute("aria-pressed", String(this.picking));
  }

  async showKeys() {
    await showKeys(this.root, this.labels);
    this.takeKeyboard();
  }

  openFinder(typed) {
    const n = this.selection.everything ? this.total : targetsOf(this.selection, this.items.length).length;
    if (n) this.finder.open({ classes: this.data.classes, recent: this.preferences.recent, typed, what: plural(n, "item", "items") });
  }

  // -------------------------------------------------------------- keyboard, mouse and touch

  onKey(event) {
    const target = event.composedPath()[0];
    if (["SELECT", "INPUT", "TEXTAREA"].includes(target.tagName)) return;
    const onButton = target.tagName === "BUTTON" && (event.key === " " || event.key === "Enter");
    const press = { key: event.key, code: event.code, ctrl: event.ctrlKey || event.metaKey, shift: event.shiftKey, alt: event.altKey };
    const command = onButton ? null : commandOf(press);
    if (!command) {
      if (!press.ctrl && !press.alt && event.key.length === 1) event.stopPropagation();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.run(command);
  }

  run(command) {
    const commands = {
      undo: () => this.stepBack("undo"),
      redo: () => this.stepBack("redo"),
      page: () => this.turnPage(command.step),
      keys: () => this.showKeys(),
      decide: () => this.decide(command.choice),
      classKey: () => this.decideByKey(command),
      find: () => this.openFinder(command.typed),
      focus: () => this.toggleFocus(),
      next: () => this.goToNext(),
      toggle: () => this.select(toggleTile(this.selection)),
      selectAll: () => this.selectAll(),
      clear: () => (this.focusView.isOpen ? this.toggleFocus() : this.select(clearSelection(this.selection))),
      move: () => this.select(moveCursor(this.selection, command.direction, command.extend, this.nColumns(), this.items.length)),
    };
    const always = ["undo", "redo", "page", "keys"];
    if (this.items.length || always.includes(command.type)) commands[command.type]();
  }

  decideByKey({ digit, shift }) {
    const keyed = this.keyOrder().slice(0, nKeyed(this.data.classes.length, this.keysByProbability));
    const name = classOfDigit(digit, shift, keyed);
    if (name !== null) this.decide("class", name);
  }

  /** The next item without a decision on this page, else the next page, else the next class. */
  goToNext() {
    const next = nextOpen(this.selection, (index) => !this.items[index].verdict, this.items.length);
    if (next) this.select(next);
    else if (this.pageNumber < this.nPages) this.turnPage(1);
    else if (this.data.next_class) this.trigger("next_class", Date.now());
    else this.say("This is the last item of the queue.", "note");
  }

  selectAll() {
    if (!this.focusView.isOpen) this.select(selectAll(this.selection, this.items.length, this.total));
  }

  nColumns() {
    return this.focusView.isOpen ? 1 : getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
  }

  select(selection) {
    this.selection = selection;
    this.paintSelection();
    this.tiles[selection.cursor]?.root.scrollIntoView({ block: "nearest" });
  }

  takeKeyboard() {
    const place = this.focusView.isOpen ? this.focusView.root : this.list;
    place.focus({ preventScroll: true });
  }

  /** Take the keyboard unless the person types in one of the page's own fields; a filter that was picked from is done. */
  takeKeyboardIfFree() {
    const active = document.activeElement;
    const typing = active && ["INPUT", "TEXTAREA"].includes(active.tagName) && active.getAttribute("role") !== "combobox";
    if (!typing) this.takeKeyboard();
  }

  onClick(event) {
    const index = positionOf(event);
    if (index === null || this.wasHeld) return;
    if (event.target.closest(".whole")) {
      this.openFocusOn(index);
      return;
    }
    const name = pickedClass(event);
    if (name) this.pickOn(index, name);
    else this.select(clickTile(this.selection, index, { ctrl: this.picking || event.ctrlKey || event.metaKey, shift: event.shiftKey }));
    this.takeKeyboard();
  }

  /** A class was clicked on a tile: it is for the selection if the tile is in it, else for that item alone. */
  pickOn(index, name) {
    if (!this.selection.selected.has(index)) this.select(emptySelection(index));
    this.decide("class", name);
  }

  /** A tile that is held shows its item in full until it is let go. */
  onHold(event) {
    const index = positionOf(event);
    if (index === null || event.button !== 0) return;
    this.wasHeld = false;
    const item = this.items[index];
    let letGo = null;
    const timer = setTimeout(() => {
      this.wasHeld = true;
      const large = this.card.large(() => this.api, () => this.data.query);
      letGo = holdItem(this.root, item.blind ? "" : nameOf(item), large, item, this.contents.get(item));
    }, HOLD_MS);
    const end = () => {
      clearTimeout(timer);
      letGo?.();
      for (const name of ["pointerup", "pointercancel", "blur"]) window.removeEventListener(name, end);
    };
    for (const name of ["pointerup", "pointercancel", "blur"]) window.addEventListener(name, end);
  }
}

function positionOf(event) {
  const tile = event.target.closest(".tile");
  return tile ? Number(tile.dataset.index) : null;
}

/** The class that a click on a tile picks; undefined if it picks none. */
function pickedClass(event) {
  return event.target.closest("[data-class]")?.dataset.class;
}

/** Whether the page must be drawn anew: its token has run out, or the run of its queue was removed. */
function isOutOfDate(failure) {
  return failure.status === 401 || failure.status === 410;
}

/** Try a few times; for what is safe to repeat. */
async function patiently(request, tries = 3) {
  for (let left = tries; ; left -= 1) {
    try {
      return await request();
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
