// Run with: node --test tests/app
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  afterAct, asksByItself, bulkDone, bulkQuestion, clickTile, commandOf, conflictOf, decisionsFor, durationText, emptySelection, explanationNote, moveCursor, keySheet, nameOf, nextOpen, optimisticState,
  percent, piecesOf, problemsOf, progressText, quoted, searchIn, selectAll, splitThumbnails, targetsOf, toggleTile,
  wantsUpdate,
} from "../../app/grid/logic.js";
import { oneLabel } from "../../app/grid/labels_single.js";

const press = (key, more = {}) => ({ key, code: "", ctrl: false, shift: false, alt: false, ...more });
const item = (more = {}) => ({ item_id: "a", rank: 1, event: null, given_label: "cat", predicted_label: "dog", label: "cat", ...more });

test("five letters are verdicts, whatever the caps lock says", () => {
  const choices = { q: "right", w: "accept", e: "exclude", n: "unsure", o: "scope" };
  for (const [key, choice] of Object.entries(choices)) assert.deepEqual(commandOf(press(key)), { type: "decide", choice });
  assert.deepEqual(commandOf(press("W")), { type: "decide", choice: "accept" });
});

test("every other letter, in whatever script, and a verdict's letter with shift, begins to find a class", () => {
  assert.deepEqual(commandOf(press("b")), { type: "find", typed: "b" });
  assert.deepEqual(commandOf(press("ж")), { type: "find", typed: "ж" });
  assert.deepEqual(commandOf(press("Q", { shift: true })), { type: "find", typed: "Q" });
  assert.deepEqual(commandOf(press("/")), { type: "find", typed: "" });
});

test("digits are class keys by their place on the keyboard, with and without shift", () => {
  assert.deepEqual(commandOf(press("1", { code: "Digit1" })), { type: "classKey", digit: 1, shift: false });
  assert.deepEqual(commandOf(press("!", { code: "Digit1", shift: true })), { type: "classKey", digit: 1, shift: true });
  assert.deepEqual(commandOf(press("5", { code: "Numpad5" })), { type: "classKey", digit: 5, shift: false });
});

test("enter, space, escape, F and ? move, select, leave, focus and explain", () => {
  const types = ["Enter", " ", "Escape", "f", "?", "PageDown"].map((key) => commandOf(press(key)).type);
  assert.deepEqual(types, ["next", "toggle", "clear", "focus", "keys", "page"]);
});

test("ctrl and command steps and selects; nothing else of the browser's is taken", () => {
  assert.deepEqual(commandOf(press("z", { ctrl: true })), { type: "undo" });
  assert.deepEqual(commandOf(press("Z", { ctrl: true, shift: true })), { type: "redo" });
  assert.deepEqual(commandOf(press("a", { ctrl: true })), { type: "selectAll" });
  for (const key of ["r", "f", "c", "v", "w", "t", "1", "+", "Tab"]) assert.equal(commandOf(press(key, { ctrl: true })), null);
  assert.equal(commandOf(press("q", { alt: true })), null);
  assert.equal(commandOf(press("z", { ctrl: true, alt: true })), null);
  assert.equal(commandOf(press("Tab")), null);
  assert.equal(commandOf(press("F5")), null);
});

test("the sheet names every verdict key", () => {
  const keys = keySheet(oneLabel).flatMap(([, rows]) => rows.map(([key]) => key));
  for (const key of ["Q", "W", "E", "O", "N", "F", "?", "Enter", "Space"]) assert.ok(keys.includes(key), key);
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
  assert.deepEqual(targetsOf(selectAll(emptySelection(), 3, 3), 3), [0, 1, 2]);
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
  const shown = (choice, on, label) => optimisticState(on, decisionsFor(choice, [on], () => label).decisions[0]).verdict;
  assert.equal(shown("class", item(), "cat"), "label_right");
  assert.equal(shown("right", item()), "label_right");
  assert.equal(shown("class", item(), "owl"), "label_wrong");
  assert.equal(shown("accept", item({ given_label: null })), "labelled");
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

test("a tile says in a few words why its item is here", () => {
  const scored = (more) => item({ kind: "out_of_fold", p_given: 0.02, second_label: "owl", p_second: 0.1, ...more });
  assert.equal(oneLabel.reason(scored(), "loss"), "given cat: 2 %");
  assert.equal(oneLabel.reason(scored({ predicted_label: "cat" }), "loss"), "as labelled, next: owl (10 %)");
  assert.equal(oneLabel.reason(scored({ given_label: null }), "loss"), "no label yet, next: owl (10 %)");
  assert.equal(oneLabel.reason(scored({ kind: "in_sample" }), "entropy"), "in sample · next: owl (10 %)");
  assert.equal(quoted("says `cat`; `dog` gets 1 %"), "says “cat”; “dog” gets 1 %");
});

test("select all takes the page, a second time everything in the filter, if there is more", () => {
  const page = selectAll(emptySelection(), 3, 10);
  assert.deepEqual([page.selected.size, page.everything], [3, false]);
  assert.equal(selectAll(page, 3, 10).everything, true);
  assert.equal(selectAll(selectAll(emptySelection(), 3, 3), 3, 3).everything, false);
  assert.equal(toggleTile(selectAll(page, 3, 10), 1).everything, false);
});

test("enter goes to the next open item, and tells when the page has none left", () => {
  assert.equal(nextOpen(emptySelection(1), (index) => index === 4, 6).cursor, 4);
  assert.equal(nextOpen(emptySelection(4), (index) => index === 4, 6), null);
});

test("of a blind item only the class can be decided, and the server finds out whether it agrees", () => {
  const hidden = item({ blind: true, given_label: null, predicted_label: null });
  assert.match(decisionsFor("right", [hidden]).reason, /blind/);
  assert.match(decisionsFor("accept", [hidden]).reason, /blind/);
  const [decision] = decisionsFor("class", [hidden], () => "owl").decisions;
  assert.deepEqual([decision.verdict, decision.label, decision.blind], ["label_wrong", "owl", true]);
  assert.equal(decisionsFor("exclude", [hidden]).decisions[0].blind, true);
});

test("another person's decision in the way is a conflict; the same decision, or one's own, is none", () => {
  const wanted = { verdict: "label_wrong", label: "dog" };
  const theirs = { verdict: "label_wrong", label: "owl", annotator: "bob" };
  assert.deepEqual(conflictOf(item(), wanted, theirs, "ada"), { verdict: "label_wrong", label: "dog", by: "bob" });
  assert.equal(conflictOf(item(), wanted, { ...theirs, label: "dog" }, "ada"), null);
  assert.equal(conflictOf(item(), wanted, { ...theirs, annotator: "ada" }, "ada"), null);
  assert.equal(conflictOf(item(), wanted, { verdict: null, label: "cat", annotator: null }, "ada"), null);
});

test("a new act clears the conflict that was shown", () => {
  const shown = item({ conflict: { by: "bob" } });
  assert.equal(optimisticState(shown, { verdict: "label_wrong", label: "dog" }).conflict, null);
});

test("a bulk act is asked about with its counts, and told of with what it did", () => {
  const preview = { n: 1240, n_change: 1209, n_already: 31, n_refused: 0, reason: "" };
  assert.equal(bulkQuestion("class", "boot", preview, oneLabel), "Relabel 1,240 items as “boot”? 31 already are.");
  assert.equal(bulkDone({ n_changed: 1209, n_already: 31, n_refused: 0, n_conflicts: 0 }), "1,209 changed, 31 were already.");
  assert.match(bulkDone({ n_changed: 1, n_already: 0, n_refused: 2, reason: "has no prediction to accept", n_conflicts: 3 }), /2 left out.*3 left because/);
});

test("what an act on single items left is a problem to be told, with its reason; a bulk act tells it otherwise", () => {
  const result = { error: "", conflicts: [], n_refused: 1, reason: "u1 is the same image as t1 (test)" };
  assert.deepEqual(problemsOf(result, false), ["1 item left as before: u1 is the same image as t1 (test)."]);
  assert.deepEqual(problemsOf(result, true), []);
  assert.deepEqual(problemsOf({ error: "locked", conflicts: ["a: changed"], n_refused: 0, reason: "" }, false), ["locked", "a: changed"]);
});

test("progress says how far, how many changes, how fast and how long to go; what is unknown is left out", () => {
  const pace = { n_recent: 50, n_changed: 18, seconds_per_decision: 1.5 };
  assert.equal(progressText(40, 100, pace), "40 of 100 items decided · 36 % of your last 50 changed · 1.5 s each · about 2 min left");
  assert.equal(progressText(0, 1, { n_recent: 0, n_changed: 0, seconds_per_decision: null }), "0 of 1 item decided");
  assert.deepEqual([0, 89, 600, 3600, 7265].map(durationText), ["1 s", "89 s", "10 min", "1 h 0 min", "2 h 1 min"]);
});

test("a queue is worth ranking anew once enough was decided, unless that is under way or failed", () => {
  const news = { n_since: 25, offer_at: 25, job: "", newer: null, problem: "" };
  assert.ok(wantsUpdate(news));
  assert.ok(wantsUpdate({ ...news, newer: { run_id: "run-0002" } }), "decisions are counted from the newest run on");
  for (const change of [{ n_since: 24 }, { job: "heads" }, { problem: "no" }]) {
    assert.ok(!wantsUpdate({ ...news, ...change }), JSON.stringify(change));
  }
});

test("it is ranked anew by itself once it is worth it; what was refused is tried again only after as many again", () => {
  const news = { n_since: 25, offer_at: 25, job: "", newer: null, problem: "" };
  assert.ok(asksByItself(news, 0));
  assert.ok(!asksByItself({ ...news, n_since: 24 }, 0));
  assert.ok(!asksByItself({ ...news, n_since: 49 }, 25));
  assert.ok(asksByItself({ ...news, n_since: 50 }, 25));
});

const shown = (pieces) => pieces.map(({ text, effect, found }) => `${text}${effect ? `(${effect})` : ""}${found ? "!" : ""}`).join("|");

test("a text falls into pieces at the marks, counted in characters and not in halves of an emoji", () => {
  assert.equal(shown(piecesOf("a 🦊 bites", [[2, 3, 0.5], [4, 9, -1]], "")), "a |🦊(0.5)| |bites(-1)");
  assert.equal(shown(piecesOf("plain", [], "")), "plain");
  assert.deepEqual(piecesOf("", [], "x"), []);
});

test("where marks overlap the stronger one is shown", () => {
  assert.equal(shown(piecesOf("top up", [[0, 3, 0.2], [0, 6, -0.4]], "")), "top up(-0.4)");
  assert.equal(shown(piecesOf("top up", [[0, 3, 0.9], [0, 6, -0.4]], "")), "top(0.9)| up(-0.4)");
});

test("what was searched is found in whatever case, across marks, every time", () => {
  assert.equal(shown(piecesOf("Card or card", [], "CARD")), "Card!| or |card!");
  assert.equal(shown(piecesOf("my card", [[3, 7, 1]], "y c")), "m|y !|c(1)!|ard(1)");
  assert.equal(searchIn("run=run-0001&search=top%20up"), "top up");
  assert.equal(searchIn("run=run-0001"), "");
});

test("the legend says for how many items there is no explanation, and nothing where all have one", () => {
  assert.equal(explanationNote([[], []], "text", "texts"), "");
  assert.equal(explanationNote([[], null], "text", "texts"), "1 text here without an explanation.");
  assert.equal(explanationNote([null, null], "row", "rows"), "This run explains none of these rows: nothing is marked.");
});

test("an item is called by its file, or by its id if it has none of its own", () => {
  assert.equal(nameOf({ item_id: "7", path: "img/7.png" }), "img/7.png");
  assert.equal(nameOf({ item_id: "7", path: "" }), "7");
});
