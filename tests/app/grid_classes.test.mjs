// Run with: node --test tests/app
import assert from "node:assert/strict";
import { test } from "node:test";

import { classOfDigit, findClasses, followsProbability, keyOfPlace, nKeyed, orderByProbability, withRecent } from "../../app/grid/classes.js";

const names = Array.from({ length: 25 }, (_, place) => `class ${place + 1}`);

test("digits name the first ten classes, with shift the next ten, and nothing beyond the last", () => {
  assert.deepEqual([classOfDigit(1, false, names), classOfDigit(0, false, names), classOfDigit(1, true, names), classOfDigit(0, true, names)], ["class 1", "class 10", "class 11", "class 20"]);
  assert.equal(classOfDigit(4, false, ["a", "b"]), null);
  assert.equal(classOfDigit(1, true, ["a", "b"]), null);
  assert.deepEqual([0, 9, 10, 19, 20].map(keyOfPlace), ["1", "0", "⇧1", "⇧0", ""]);
});

test("the most probable classes come first, the others keep their order, none is lost or doubled", () => {
  assert.deepEqual(orderByProbability(["a", "b", "c", "d"], [2, 0]), ["c", "a", "b", "d"]);
  assert.deepEqual(orderByProbability(["a", "b"], [7, 1, 1]), ["b", "a"]);
  assert.deepEqual(orderByProbability(["a", "b"], undefined), ["a", "b"]);
});

test("a class is found by its start, by the start of a word, by letters together, by letters in order, best first", () => {
  const classes = ["undershirt", "long shirt", "shirt", "t-shirt", "sharp irt"];
  assert.deepEqual(findClasses("shirt", classes), ["shirt", "long shirt", "t-shirt", "undershirt", "sharp irt"]);
  assert.deepEqual(findClasses("xyz", classes), []);
  assert.deepEqual(findClasses("", classes), classes);
});

test("a name of several words is found however its parts are written together, its start first", () => {
  const classes = ["automatic_top_up", "top_up_failed", "topping"];
  assert.deepEqual(findClasses("topup", classes), ["top_up_failed", "automatic_top_up"]);
  assert.deepEqual(findClasses("top up", classes), ["top_up_failed", "automatic_top_up"]);
});

test("keys stay in their places while every class has one, else they go to the ten most probable, unless asked otherwise", () => {
  assert.deepEqual([20, 21].map((n) => followsProbability(undefined, n)), [false, true]);
  assert.deepEqual([followsProbability(true, 3), followsProbability(false, 77)], [true, false]);
  assert.deepEqual([nKeyed(20, true), nKeyed(77, true), nKeyed(77, false)], [20, 10, 20]);
});

test("accents and case do not matter, and among equal fits the one used last comes first", () => {
  assert.deepEqual(findClasses("ecl", ["Éclair", "eclipse"]), ["Éclair", "eclipse"]);
  assert.deepEqual(findClasses("ecl", ["Éclair", "eclipse"], ["eclipse"]), ["eclipse", "Éclair"]);
});

test("the classes used last are remembered newest first, once each, up to the limit", () => {
  assert.deepEqual(withRecent(["b", "a"], "a"), ["a", "b"]);
  assert.deepEqual(withRecent(["b", "a"], "c", 2), ["c", "b"]);
});
