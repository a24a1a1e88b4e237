// What the label grid decides without a browser: selection, keys, acts and optimistic states. All functions are pure.

export const VERDICT_STATUS = {
  label_right: "kept",
  label_wrong: "relabelled",
  labelled: "added",
  ambiguous: "unsure",
  out_of_scope: "excluded",
  bad_item: "excluded",
};

export const STATUS_TEXT = {
  kept: "label is right",
  relabelled: "relabelled",
  added: "labelled",
  unsure: "unsure",
  excluded: "excluded",
};

const VERDICT_KEYS = { q: "right", w: "accept", e: "exclude", n: "unsure", o: "scope" };
const NOT_MEANT = {
  right: "has no given label to confirm: accept the prediction or pick a class",
  accept: "has no prediction to accept",
};
const ARROWS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", Home: "first", End: "last" };
const PLAIN = {
  " ": { type: "toggle" },
  Enter: { type: "next" },
  Escape: { type: "clear" },
  PageDown: { type: "page", step: 1 },
  PageUp: { type: "page", step: -1 },
  "?": { type: "keys" },
  "/": { type: "find", typed: "" },
};

/** What a key press on the grid asks for, or null if it is none of the grid's keys.
 *  press: {key, code, ctrl, shift, alt}; `ctrl` is true for the command key too. */
export function commandOf(press) {
  const key = press.key.length === 1 ? press.key.toLowerCase() : press.key;
  if (press.ctrl) return press.alt ? null : controlCommand(key, press.shift);
  if (press.alt) return null;
  if (key in ARROWS) return { type: "move", direction: ARROWS[key], extend: press.shift };
  if (key in PLAIN) return PLAIN[key];
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(press.code || "");
  if (digit) return { type: "classKey", digit: Number(digit[1]), shift: press.shift };
  if (!press.shift && key in VERDICT_KEYS) return { type: "decide", choice: VERDICT_KEYS[key] };
  if (!press.shift && key === "f") return { type: "focus" };
  if (/^\p{L}$/u.test(key)) return { type: "find", typed: press.key };
  return null;
}

function controlCommand(key, shift) {
  if (key === "z") return { type: shift ? "redo" : "undo" };
  if (key === "y") return { type: "redo" };
  if (key === "a") return { type: "selectAll" };
  return null;
}

/** Every key of the grid, for the sheet: [group, [[keys, what they do], ...]]. labels: the kind of label */
export const keySheet = (labels) => [
  ["Decide", [
    ...labels.sheet,
    ["E", "exclude: a bad item"],
    ["O", labels.words.scope],
    ["N", "unsure or ambiguous"],
  ]],
  ["Move and select", [
    ["← → ↑ ↓", "move the frame"],
    ["Enter", "next item without a decision"],
    ["Space", "select or let go"],
    ["⇧ with arrows", "select a range"],
    ["Ctrl A", "select the page; again: everything in this filter"],
    ["Esc", "let go, or close what is open"],
    ["Page Up, Page Down", "turn the page"],
  ]],
  ["Look and take back", [
    ["F", "focus: one large item, its likes, its history"],
    ["hold the mouse", "show the whole item while held"],
    ["Ctrl Z", "undo your last step"],
    ["Ctrl ⇧ Z", "redo"],
    ["?", "this sheet"],
  ]],
];

// ---------------------------------------------------------------- selection
// {cursor, anchor, selected: Set of positions on the page, everything: whether all items of the filter are meant}

export function emptySelection(cursor = 0) {
  return { cursor, anchor: cursor, selected: new Set(), everything: false };
}

/** A click on the tile at `index`: plain = that one alone, ctrl = add or remove it, shift = the range from the anchor. */
export function clickTile(selection, index, { ctrl = false, shift = false } = {}) {
  if (shift) return { cursor: index, anchor: selection.anchor, selected: range(selection.anchor, index), everything: false };
  if (ctrl) return toggleTile(selection, index);
  const alone = selection.selected.size === 1 && selection.selected.has(index);
  return { cursor: index, anchor: index, selected: alone ? new Set() : new Set([index]), everything: false };
}

export function toggleTile(selection, index = selection.cursor) {
  const selected = new Set(selection.selected);
  if (!selected.delete(index)) selected.add(index);
  return { cursor: index, anchor: index, selected, everything: false };
}

export function moveCursor(selection, direction, extend, nColumns, nItems) {
  const steps = { left: -1, right: 1, up: -nColumns, down: nColumns };
  let cursor = selection.cursor;
  if (direction === "first") cursor = 0;
  else if (direction === "last") cursor = nItems - 1;
  else if (inside(cursor + steps[direction], nItems)) cursor += steps[direction];
  if (extend) return { cursor, anchor: selection.anchor, selected: range(selection.anchor, cursor), everything: false };
  return { ...selection, cursor, anchor: cursor };
}

/** The whole page; asked again with the page selected, and more in the filter than on it, everything in the filter. */
export function selectAll(selection, nItems, nTotal) {
  const isWhole = selection.selected.size === nItems;
  return { ...selection, selected: range(0, nItems - 1), everything: isWhole && nTotal > nItems };
}

export function clearSelection(selection) {
  return emptySelection(selection.cursor);
}

/** The positions that an act concerns: the selected tiles, or the one under the cursor if none is selected. */
export function targetsOf(selection, nItems) {
  if (nItems === 0) return [];
  return selection.selected.size ? [...selection.selected].sort((a, b) => a - b) : [selection.cursor];
}

/** After an act on the framed item alone the frame goes to the next open one; after a bulk act the selection is dropped. */
export function afterAct(selection, isOpen, nItems) {
  if (selection.selected.size > 1) return clearSelection(selection);
  return nextOpen(selection, isOpen, nItems) ?? clearSelection(selection);
}

/** The selection with the frame on the next item that is open; null if none comes after it on this page. */
export function nextOpen(selection, isOpen, nItems) {
  for (let place = selection.cursor + 1; place < nItems; place += 1) if (isOpen(place)) return emptySelection(place);
  return null;
}

function inside(index, nItems) {
  return index >= 0 && index < nItems;
}

function range(from, to) {
  const selected = new Set();
  for (let index = Math.min(from, to); index <= Math.max(from, to); index += 1) selected.add(index);
  return selected;
}

// ---------------------------------------------------------------- acts

/** The decisions that `choice` means for these items.
 *  picked(item): the label that an item is to have by a choice of a class; undefined = it has it, so nothing is decided
 *  returns {decisions, nRefused, reason}: nRefused = how many items the choice makes no sense for, with the reason. */
export function decisionsFor(choice, items, picked) {
  const decisions = [];
  let [nRefused, reason] = [0, ""];
  for (const item of items) {
    const made = decisionFor(choice, item, picked);
    if (made?.reason) [nRefused, reason] = [nRefused + 1, made.reason];
    else if (made) decisions.push({ item_id: item.item_id, rank: item.rank, expected_event: item.event, ...made });
  }
  return { decisions, nRefused, reason };
}

function decisionFor(choice, item, picked) {
  const blind = item.blind ? { blind: true } : {};
  if (choice === "exclude") return { verdict: "bad_item", ...blind };
  if (choice === "scope") return { verdict: "out_of_scope", ...blind };
  if (choice === "unsure") return { verdict: "ambiguous", ...blind };
  const isPick = !(choice in NOT_MEANT);
  if (item.blind && !isPick) return { reason: "is shown blind: pick its class yourself" };
  const wanted = isPick ? picked(item) : { right: item.given_label, accept: item.predicted_label }[choice];
  if (!wanted) return isPick ? null : { reason: NOT_MEANT[choice] };
  // The server knows what the source said, and makes label_right or labelled of it where that is what it means.
  return { verdict: "label_wrong", label: wanted, ...blind };
}

/** The verdict that a decision will have on an item, as far as the page can tell. */
export function verdictOn(item, decision) {
  if (decision.verdict !== "label_wrong") return decision.verdict;
  if (item.given_label === null) return "labelled";
  return item.given_label === decision.label ? "label_right" : "label_wrong";
}

/** The state an item will have once the decision is committed, painted before that. */
export function optimisticState(item, decision) {
  const verdict = verdictOn(item, decision);
  return { verdict, status: VERDICT_STATUS[verdict], label: decision.label ?? item.label, pending: true, conflict: null };
}

/** What a person wanted and an item's committed state does not show, because somebody else was there first; else null.
 *  returns {verdict, label, by}: what was wanted, and who decided otherwise */
export function conflictOf(item, decision, state, annotator) {
  if (!state.verdict || state.annotator === annotator) return null;
  const label = decision.label ?? state.label;
  const verdict = verdictOn(item, decision);
  if (state.label === label && VERDICT_STATUS[state.verdict] === VERDICT_STATUS[verdict]) return null;
  return { verdict, label: decision.label ?? null, by: state.annotator };
}

// ---------------------------------------------------------------- progress

/** How far, how fast and how long to go, in words.
 *  pace: {n_recent, n_changed, seconds_per_decision}, as the server measures it */
export function progressText(nDecided, nTotal, pace) {
  const parts = [`${nDecided.toLocaleString("en")} of ${plural(nTotal, "item", "items")} decided`];
  if (pace?.n_recent) parts.push(`${Math.round((100 * pace.n_changed) / pace.n_recent)} % of your last ${pace.n_recent} changed`);
  if (pace?.seconds_per_decision) {
    parts.push(`${pace.seconds_per_decision.toFixed(1)} s each`);
    const left = (nTotal - nDecided) * pace.seconds_per_decision;
    if (left > 0) parts.push(`about ${durationText(left)} left`);
  }
  return parts.join(" · ");
}

/** A length of time, roughly: "40 s", "12 min", "3 h 20 min". */
export function durationText(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// ---------------------------------------------------------------- bulk acts

export const ASK_ABOVE = 50;

const BULK_ACTIONS = { right: "Confirm the given label of", accept: "Accept the prediction for", exclude: "Exclude", unsure: "Mark as unsure", scope: "Put out of scope" };

/** What a bulk act is about to do, as a question. preview: {n, n_change, n_already, n_refused, reason}; labels: the kind of label */
export function bulkQuestion(choice, label, preview, labels) {
  const [action, as] = choice in BULK_ACTIONS ? [BULK_ACTIONS[choice], ""] : labels.question(choice, label);
  const notes = [];
  if (preview.n_already) notes.push(`${preview.n_already.toLocaleString("en")} already ${preview.n_already === 1 ? "is" : "are"}`);
  if (preview.n_refused) notes.push(`${plural(preview.n_refused, "item", "items")} left out: ${preview.reason}`);
  if (preview.n_conflicts) notes.push(`${plural(preview.n_conflicts, "item", "items")} left as decided since you opened this queue`);
  return `${action} ${plural(preview.n, "item", "items")}${as}?${notes.length ? ` ${notes.join("; ")}.` : ""}`;
}

/** What an act has done. result: {n_changed, n_already, n_refused, n_conflicts} */
export function bulkDone(result) {
  const parts = [`${result.n_changed.toLocaleString("en")} changed`];
  if (result.n_already) parts.push(`${result.n_already.toLocaleString("en")} were already`);
  if (result.n_refused) parts.push(`${result.n_refused.toLocaleString("en")} left out: ${result.reason}`);
  if (result.n_conflicts) parts.push(`${result.n_conflicts.toLocaleString("en")} left because somebody else has decided on them`);
  return `${parts.join(", ")}.`;
}

/** What of an act a person must be told as a problem; what a bulk act left is told by `bulkDone`.
 *  result: {error, conflicts, n_refused, reason} */
export function problemsOf(result, isBulk) {
  const left = result.n_refused && !isBulk ? `${plural(result.n_refused, "item", "items")} left as before: ${result.reason}.` : "";
  return [result.error, left, ...result.conflicts].filter(Boolean);
}

/** Whether enough was decided since the newest ranking that ranking anew pays, and nothing is under way yet. */
export function wantsUpdate({ n_since: nSince, offer_at: offerAt, job, problem }) {
  return !job && !problem && nSince >= offerAt;
}

/** Whether to rank anew without being told to; what was refused is tried again only after as many decisions again.
 *  askedAt: how many decisions there were when it was asked for last, 0 if never since the newest ranking. */
export function asksByItself(news, askedAt) {
  return wantsUpdate(news) && (askedAt === 0 || news.n_since >= askedAt + news.offer_at);
}

/** Bytes of `GET /api/thumbs`: a little-endian uint32 count, that many uint32 lengths, then the JPEG bytes. */
export function splitThumbnails(buffer) {
  const view = new DataView(buffer);
  const count = view.getUint32(0, true);
  const pictures = [];
  let start = 4 + 4 * count;
  for (let index = 0; index < count; index += 1) {
    const length = view.getUint32(4 + 4 * index, true);
    pictures.push(length ? new Uint8Array(buffer, start, length) : null);
    start += length;
  }
  return pictures;
}

/** The server marks labels as `code`; here they are quoted. */
export function quoted(reason) {
  return reason.replace(/`([^`]*)`/g, "“$1”");
}

/** What an item is called where one line must do: its file, or its id if it has none of its own. */
export function nameOf(item) {
  return item.path || item.item_id;
}

/** What is looked for in a queue, "" for nothing. query: its query string */
export function searchIn(query) {
  return new URLSearchParams(query).get("search") ?? "";
}

/** A text in pieces that are shown alike: [{text, effect, found}].
 *  marks: [[start, end, effect], …], places counted in characters as the server counts them; where two overlap the
 *  stronger one is shown; search: found wherever it occurs, in whatever case */
export function piecesOf(text, marks, search) {
  const characters = [...text];
  const effects = new Array(characters.length).fill(0);
  for (const [start, end, effect] of marks) {
    for (let place = start; place < Math.min(end, characters.length); place += 1) {
      if (Math.abs(effect) > Math.abs(effects[place])) effects[place] = effect;
    }
  }
  const found = placesFound(characters, search);
  const pieces = [];
  characters.forEach((character, place) => {
    const last = pieces.at(-1);
    if (last && last.effect === effects[place] && last.found === found[place]) last.text += character;
    else pieces.push({ text: character, effect: effects[place], found: found[place] });
  });
  return pieces;
}

function placesFound(characters, search) {
  const found = new Array(characters.length).fill(false);
  const wanted = [...search].map((character) => character.toLowerCase());
  if (!wanted.length) return found;
  const lower = characters.map((character) => character.toLowerCase());
  for (let start = 0; start + wanted.length <= lower.length; start += 1) {
    if (wanted.every((character, place) => lower[start + place] === character)) found.fill(true, start, start + wanted.length);
  }
  return found;
}

/** That items have no explanation, for the legend; "" if all have. explanations: one an item, null = has none */
export function explanationNote(explanations, one, many) {
  const nNone = explanations.filter((each) => each === null).length;
  if (!nNone) return "";
  if (nNone === explanations.length) return `This run explains none of these ${many}: nothing is marked.`;
  return `${plural(nNone, one, many)} here without an explanation.`;
}

export function percent(probability) {
  if (probability === null || probability === undefined) return "";
  const value = probability * 100;
  if (value > 99.5 && probability < 1) return ">99 %";
  if (value < 0.5 && probability > 0) return "<1 %";
  return `${Math.round(value)} %`;
}

export function plural(n, one, many) {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}
