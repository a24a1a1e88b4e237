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
const ARROWS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", Home: "first", End: "last" };

/** What a key press on the grid asks for, or null if it is none of the grid's keys.
 *  press: {key, code, ctrl, shift, alt}; `ctrl` is true for the command key too. */
export function commandOf(press, nClasses) {
  const key = press.key.length === 1 ? press.key.toLowerCase() : press.key;
  if (press.ctrl) return controlCommand(key, press.shift);
  if (press.alt) return null;
  if (key in ARROWS) return { type: "move", direction: ARROWS[key], extend: press.shift };
  if (key === " ") return { type: "toggle" };
  if (key === "Escape") return { type: "clear" };
  if (key === "PageDown") return { type: "page", step: 1 };
  if (key === "PageUp") return { type: "page", step: -1 };
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(press.code || "");
  if (digit) return classCommand(Number(digit[1]), press.shift, nClasses);
  if (key in VERDICT_KEYS && !press.shift) return { type: "decide", choice: VERDICT_KEYS[key] };
  return null;
}

function controlCommand(key, shift) {
  if (key === "z") return { type: shift ? "redo" : "undo" };
  if (key === "y") return { type: "redo" };
  if (key === "a") return { type: "selectAll" };
  return null;
}

/** Digits 1-9 and 0 name the first ten classes, with Shift the next ten. */
function classCommand(digit, shift, nClasses) {
  const index = (digit === 0 ? 9 : digit - 1) + (shift ? 10 : 0);
  return index < nClasses ? { type: "decide", choice: "class", classIndex: index } : null;
}

/** The key printed beside a class, "" from the 21st class on. */
export function classKey(index) {
  if (index >= 20) return "";
  const digit = String((index + 1) % 10);
  return index < 10 ? digit : `⇧${digit}`;
}

// ---------------------------------------------------------------- selection: {cursor, anchor, selected: Set of positions}

export function emptySelection() {
  return { cursor: 0, anchor: 0, selected: new Set() };
}

/** A click on the tile at `index`: plain = that one alone, ctrl = add or remove it, shift = the range from the anchor. */
export function clickTile(selection, index, { ctrl = false, shift = false } = {}) {
  if (shift) return { cursor: index, anchor: selection.anchor, selected: range(selection.anchor, index) };
  if (ctrl) return toggleTile(selection, index);
  const alone = selection.selected.size === 1 && selection.selected.has(index);
  return { cursor: index, anchor: index, selected: alone ? new Set() : new Set([index]) };
}

export function toggleTile(selection, index = selection.cursor) {
  const selected = new Set(selection.selected);
  if (!selected.delete(index)) selected.add(index);
  return { cursor: index, anchor: index, selected };
}

export function moveCursor(selection, direction, extend, nColumns, nItems) {
  const steps = { left: -1, right: 1, up: -nColumns, down: nColumns };
  let cursor = selection.cursor;
  if (direction === "first") cursor = 0;
  else if (direction === "last") cursor = nItems - 1;
  else if (inside(cursor + steps[direction], nItems)) cursor += steps[direction];
  if (extend) return { cursor, anchor: selection.anchor, selected: range(selection.anchor, cursor) };
  return { cursor, anchor: cursor, selected: new Set(selection.selected) };
}

export function selectAll(selection, nItems) {
  return { ...selection, selected: range(0, nItems - 1) };
}

/** The positions that an act concerns: the selected tiles, or the one under the cursor if none is selected. */
export function targetsOf(selection, nItems) {
  if (nItems === 0) return [];
  return selection.selected.size ? [...selection.selected].sort((a, b) => a - b) : [selection.cursor];
}

/** After an act on the cursor alone the cursor goes to the next open tile; after a bulk act the selection is dropped. */
export function afterAct(selection, isOpen, nItems) {
  const cleared = { cursor: selection.cursor, anchor: selection.cursor, selected: new Set() };
  if (selection.selected.size > 1) return cleared;
  for (let step = 1; step < nItems; step += 1) {
    const next = selection.cursor + step;
    if (next < nItems && isOpen(next)) return { cursor: next, anchor: next, selected: new Set() };
  }
  return cleared;
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
 *  returns {decisions, refused}: refused = how many items the choice makes no sense for, with the reason. */
export function decisionsFor(choice, items, label) {
  const decisions = [];
  let reason = "";
  for (const item of items) {
    const made = decisionFor(choice, item, label);
    if (made.reason) reason = made.reason;
    else decisions.push({ item_id: item.item_id, rank: item.rank, expected_event: item.event, ...made });
  }
  return { decisions, nRefused: items.length - decisions.length, reason };
}

function decisionFor(choice, item, label) {
  if (choice === "exclude") return { verdict: "bad_item" };
  if (choice === "scope") return { verdict: "out_of_scope" };
  if (choice === "unsure") return { verdict: "ambiguous" };
  if (choice === "right") {
    if (item.given_label === null) return { reason: "has no given label to confirm: accept the prediction or pick a class" };
    return { verdict: "label_right", label: item.given_label };
  }
  const wanted = choice === "accept" ? item.predicted_label : label;
  if (!wanted) return { reason: "has no prediction to accept" };
  if (item.given_label === null) return { verdict: "labelled", label: wanted };
  if (item.given_label === wanted) return { verdict: "label_right", label: wanted };
  return { verdict: "label_wrong", label: wanted };
}

/** The state an item will have once the decision is committed, painted before that. */
export function optimisticState(item, decision) {
  const label = decision.verdict === "label_right" ? item.given_label : decision.label || item.label;
  return { verdict: decision.verdict, status: VERDICT_STATUS[decision.verdict], label, pending: true };
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

/** Why an item is here, short enough for a tile; the server's `reason` says it in full. */
export function shortReason(item, by) {
  const inSample = item.kind === "in_sample" ? "in sample · " : "";
  const next = `next: ${item.second_label} (${percent(item.p_second)})`;
  if (by === "confusion" || by === "entropy") return inSample + next;
  if (item.given_label === null) return `${inSample}no label yet, ${next}`;
  if (item.given_label === item.predicted_label) return `${inSample}as labelled, ${next}`;
  return `${inSample}given ${item.given_label}: ${percent(item.p_given)}`;
}

/** The server marks labels as `code`; here they are quoted. */
export function quoted(reason) {
  return reason.replace(/`([^`]*)`/g, "“$1”");
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
