// Run with: node --test tests/app
import assert from "node:assert/strict";
import { test } from "node:test";

import { changeText, chipsOf, membersOf, setText, toggled, togglingOf } from "../../app/grid/label_sets.js";
import { LABELS } from "../../app/grid/labels.js";
import { bulkQuestion, decisionsFor, keySheet, optimisticState } from "../../app/grid/logic.js";

const CLASSES = ["cat", "dog", "owl"];
const several = LABELS.multi;
const item = (more = {}) => ({ item_id: "a", rank: 1, event: null, given_label: "cat|owl", predicted_label: "cat", label: "cat|owl", verdict: null, suspect: "", suspect_label: null, ...more });
const pick = (name, items) => {
  const meant = several.meant(name, items);
  return decisionsFor(meant, items, (each) => several.wanted(meant, each, name, CLASSES)).decisions;
};

test("a label that says none is not the same as no label", () => {
  assert.deepEqual([membersOf("(none)"), membersOf(null)], [[], []]);
  assert.deepEqual([setText("(none)"), setText(null)], ["none of the classes", "no label"]);
});

test("picking a class adds it in the order of the classes, and picking it again takes it out", () => {
  const [added] = pick("dog", [item()]);
  assert.equal(added.label, "cat|dog|owl");
  const [removed] = pick("dog", [item({ label: added.label })]);
  assert.equal(removed.label, "cat|owl");
});

test("an item that loses its last class is labelled with none", () => {
  assert.equal(pick("cat", [item({ label: "cat" })])[0].label, "(none)");
  assert.equal(pick("cat", [item({ given_label: null, label: null })])[0].label, "cat");
});

test("of several items a class is added where it lacks, and removed only if all have it", () => {
  const items = [item({ item_id: "a" }), item({ item_id: "b", label: "dog" })];
  assert.equal(togglingOf("cat", items), "add");
  assert.deepEqual(pick("cat", items).map(({ item_id: id, label }) => [id, label]), [["b", "cat|dog"]]);
  assert.equal(togglingOf("cat", [items[0]]), "remove");
});

test("an item that has the class already is left as it is, and is no refusal", () => {
  const { decisions, nRefused } = decisionsFor("add", [item()], (each) => toggled("add", each, "cat", CLASSES));
  assert.deepEqual([decisions, nRefused], [[], 0]);
});

test("a set that comes back to the given one is a confirmation; another one is a correction", () => {
  const [changed] = pick("dog", [item()]);
  const after = optimisticState(item(), changed);
  assert.deepEqual([after.verdict, after.label], ["label_wrong", "cat|dog|owl"]);
  const [back] = pick("dog", [item(after)]);
  assert.equal(optimisticState(item(after), back).verdict, "label_right");
});

test("W takes the model's set and Q the given one, whatever was toggled before", () => {
  const on = item({ label: "dog" });
  assert.equal(decisionsFor("accept", [on], () => "").decisions[0].label, "cat");
  assert.equal(decisionsFor("right", [on], () => "").decisions[0].label, "cat|owl");
});

test("a chip says what is suspect until that class is decided, and what was added and removed", () => {
  const states = (more) => Object.fromEntries(chipsOf(item(more), CLASSES).map(({ name, state }) => [name, state]));
  assert.deepEqual(states({ suspect: "missing", suspect_label: "dog" }), { cat: "has", dog: "missing", owl: "has" });
  assert.deepEqual(states({ suspect: "superfluous", suspect_label: "owl" }), { cat: "has", owl: "superfluous" });
  assert.deepEqual(states({ suspect_label: "dog", label: "cat|dog", verdict: "label_wrong" }), { cat: "has", dog: "added", owl: "removed" });
  assert.deepEqual(states({ suspect_label: "dog", verdict: "label_right" }), { cat: "has", owl: "has" });
});

test("a change is told by what came and what went", () => {
  assert.equal(changeText("cat|owl", "cat|dog"), "+dog  −owl");
  assert.equal(changeText("cat", "(none)"), "−cat");
  assert.equal(changeText(null, "cat|dog"), "cat, dog");
});

test("a blind item shows no chips, and what the person picked once they have", () => {
  const hidden = item({ blind: true, given_label: null, predicted_label: null, label: null });
  assert.deepEqual(chipsOf(hidden, CLASSES), []);
  const [decision] = pick("dog", [hidden]);
  assert.deepEqual([decision.label, decision.blind], ["dog", true]);
});

test("a bulk act says whether it adds or removes", () => {
  const preview = { n: 60, n_already: 12, n_refused: 0, reason: "" };
  assert.equal(bulkQuestion("add", "dog", preview, several), "Add “dog” to 60 items? 12 already are.");
  assert.equal(bulkQuestion("remove", "dog", { ...preview, n_already: 0 }, several), "Remove “dog” from 60 items?");
});

test("every kind of label explains the keys that decide", () => {
  for (const kind of Object.values(LABELS)) {
    const keys = keySheet(kind).flatMap(([, rows]) => rows.map(([key]) => key));
    for (const key of ["Q", "W", "E", "O", "N", "1 – 9, 0"]) assert.ok(keys.includes(key), key);
  }
});
