// Run with: node --test tests/app
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  afterAct, classKey, clickTile, commandOf, decisionsFor, emptySelection, moveCursor, percent, quoted, selectAll, shortReason, splitThumbnails, targetsOf, toggleTile,
} from "../../app/grid/logic.js";
import { Outbox } from "../../app/grid/outbox.js";

const press = (key, more = {}) => ({ key, code: "", ctrl: false, shift: false, alt: false, ...more });
const item = (more = {}) => ({ item_id: "a", rank: 1, event: null, given_label: "cat", predicted_label: "dog", label: "cat", ...more });

test("letters are verdicts", () => {
  assert.deepEqual(commandOf(press("q"), 3), { type: "decide", choice: "right" });
  assert.deepEqual(commandOf(press("W"), 3), { type: "decide", choice: "accept" });
});

test("digits name classes, shifted ones the next ten, none beyond the last class", () => {
  assert.equal(commandOf(press("1", { code: "Digit1" }), 3).classIndex, 0);
  assert.equal(commandOf(press("0", { code: "Digit0" }), 12).classIndex, 9);
  assert.equal(commandOf(press("!", { code: "Digit1", shift: true }), 12).classIndex, 10);
  assert.equal(commandOf(press("4", { code: "Digit4" }), 3), null);
  assert.deepEqual([0, 9, 10, 20].map(classKey), ["1", "0", "⇧1", ""]);
});

test("the browser keeps its own shortcuts", () => {
  assert.equal(commandOf(press("r", { ctrl: true }), 3), null);
  assert.equal(commandOf(press("q", { alt: true }), 3), null);
});

test("shift-click selects the range from the anchor", () => {
  const anchored = clickTile(emptySelection(), 2);
  assert.deepEqual([...clickTile(anchored, 5, { shift: true }).selected], [2, 3, 4, 5]);
  assert.deepEqual([...clickTile(anchored, 0, { shift: true }).selected], [0, 1, 2]);
});

test("ctrl-click adds and removes one tile", () => {
  const one = clickTile(emptySelection(), 2);
  const two = clickTile(one, 4, { ctrl: true });
  assert.deepEqual([...two.selected], [2, 4]);
  assert.deepEqual([...clickTile(two, 2, { ctrl: true }).selected], [4]);
});

test("a second click on the only selected tile lets it go", () => {
  assert.equal(clickTile(clickTile(emptySelection(), 1), 1).selected.size, 0);
});

test("an act concerns the selection, or the framed tile without one", () => {
  assert.deepEqual(targetsOf(emptySelection(), 5), [0]);
  assert.deepEqual(targetsOf(toggleTile(emptySelection(), 3), 5), [3]);
  assert.deepEqual(targetsOf(selectAll(emptySelection(), 3), 3), [0, 1, 2]);
  assert.deepEqual(targetsOf(emptySelection(), 0), []);
});

test("arrows stay on the page", () => {
  assert.equal(moveCursor(emptySelection(), "left", false, 4, 10).cursor, 0);
  assert.equal(moveCursor(emptySelection(), "down", false, 4, 10).cursor, 4);
  assert.equal(moveCursor(emptySelection(), "last", false, 4, 10).cursor, 9);
});

test("after a single act the cursor goes to the next open tile", () => {
  const open = new Set([3]);
  assert.equal(afterAct(emptySelection(), (index) => open.has(index), 5).cursor, 3);
  assert.equal(afterAct(emptySelection(), () => false, 5).cursor, 0);
});

test("picking the given class is a confirmation, another one a correction, one for an unlabelled item its label", () => {
  assert.equal(decisionsFor("class", [item()], "cat").decisions[0].verdict, "label_right");
  assert.equal(decisionsFor("class", [item()], "owl").decisions[0].verdict, "label_wrong");
  assert.equal(decisionsFor("accept", [item({ given_label: null })]).decisions[0].verdict, "labelled");
});

test("an item without a label cannot be confirmed, and the person is told", () => {
  const { decisions, nRefused, reason } = decisionsFor("right", [item(), item({ given_label: null })]);
  assert.equal(decisions.length, 1);
  assert.equal(nRefused, 1);
  assert.match(reason, /no given label/);
});

test("probabilities never round to certainty", () => {
  assert.deepEqual([1, 0.999, 0.5, 0.001, 0, null].map(percent), ["100 %", ">99 %", "50 %", "<1 %", "0 %", ""]);
});

test("thumbnails are cut at their lengths, an empty one is missing", () => {
  const buffer = new ArrayBuffer(4 + 8 + 3);
  const view = new DataView(buffer);
  [2, 3, 0].forEach((value, index) => view.setUint32(4 * index, value, true));
  const [first, second] = splitThumbnails(buffer);
  assert.equal(first.length, 3);
  assert.equal(second, null);
});

function memory() {
  const values = new Map();
  return { getItem: (key) => values.get(key) ?? null, setItem: (key, value) => values.set(key, value), removeItem: (key) => values.delete(key) };
}

function outbox(post, storage = memory(), log = []) {
  return new Outbox({ key: "k", storage, post, onChange: (state) => log.push(state), onAnswer: () => {}, wait: async () => {} });
}

test("acts made while one is in flight go together in the next request, in order", async () => {
  const sent = [];
  const box = outbox(async (acts) => { sent.push(acts.map((act) => act.seq)); });
  box.add({ decisions: [] });
  box.add({ decisions: [] });
  box.add({ decisions: [] });
  await box.flush();
  assert.deepEqual(sent, [[1], [2, 3]]);
});

test("what was not confirmed is sent again after a reload, under its own number", async () => {
  const storage = memory();
  const lost = outbox(() => new Promise(() => {}), storage);
  lost.add({ decisions: [{ item_id: "a" }] });
  const sent = [];
  const box = outbox(async (acts) => { sent.push(...acts.map((act) => act.seq)); }, storage);
  assert.equal(box.waiting().has("a"), true);
  await box.flush();
  assert.deepEqual(sent, [1]);
  assert.equal(box.add({ decisions: [] }).seq, 2);
});

test("a failed request is tried again and said", async () => {
  let failures = 2;
  const log = [];
  const box = outbox(async () => { if (failures-- > 0) throw new Error("down"); }, memory(), log);
  box.add({ decisions: [] });
  await box.flush();
  assert.equal(log.some((state) => state.offline && state.message === "down"), true);
  assert.deepEqual(log.at(-1), { nWaiting: 0, offline: false, message: "" });
});

test("a tile says in a few words why its item is here", () => {
  const scored = (more) => item({ kind: "out_of_fold", p_given: 0.02, second_label: "owl", p_second: 0.1, ...more });
  assert.equal(shortReason(scored(), "loss"), "given cat: 2 %");
  assert.equal(shortReason(scored({ predicted_label: "cat" }), "loss"), "as labelled, next: owl (10 %)");
  assert.equal(shortReason(scored({ given_label: null }), "loss"), "no label yet, next: owl (10 %)");
  assert.equal(shortReason(scored({ kind: "in_sample" }), "entropy"), "in sample · next: owl (10 %)");
  assert.equal(quoted("says `cat`; `dog` gets 1 %"), "says “cat”; “dog” gets 1 %");
});
