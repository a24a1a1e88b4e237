// Run with: node --test tests/app
import assert from "node:assert/strict";
import { test } from "node:test";

import { CardStore } from "../../app/grid/card_store.js";
import { CARDS } from "../../app/grid/cards.js";
import { Preferences } from "../../app/grid/preferences.js";

const item = (itemId, more = {}) => ({ item_id: itemId, ...more });

function storeOf() {
  const asked = [];
  const state = { run: "run-0001" };
  const fetchCards = async (itemIds) => {
    asked.push(itemIds);
    return itemIds.map((itemId) => ({ text: `${state.run} ${itemId}` }));
  };
  return { asked, state, store: new CardStore({ fetchCards, context: () => state.run }) };
}

test("cards are asked for once, also while they are on their way", async () => {
  const { asked, store } = storeOf();
  const first = store.load([item("a"), item("b")]);
  await store.load([item("b"), item("c")]);
  await first;
  await store.load([item("a")]);
  assert.deepEqual(asked, [["a", "b"], ["c"]]);
  assert.equal(store.get(item("b")).text, "run-0001 b");
});

test("an item that is no longer blind, or of another run, is asked for anew", async () => {
  const { asked, state, store } = storeOf();
  await store.load([item("a", { blind: true })]);
  assert.equal(store.get(item("a")), undefined);
  await store.load([item("a")]);
  state.run = "run-0002";
  await store.load([item("a")]);
  assert.deepEqual(asked, [["a"], ["a"], ["a"]]);
  assert.equal(store.get(item("a")).text, "run-0002 a");
});

test("only so many are kept, those not looked at for longest go first, and a failure is not kept", async () => {
  const { asked, store } = storeOf();
  const many = Array.from({ length: 900 }, (_, number) => item(String(number)));
  await store.load(many);
  store.get(item("0"));
  await store.load([item("new")]);
  assert.ok(store.get(item("0")));
  assert.equal(store.get(item("1")), undefined);
  const broken = new CardStore({ fetchCards: async () => { throw new Error("gone"); }, context: () => "" });
  await assert.rejects(broken.load([item("a")]), /gone/);
  await assert.rejects(broken.load([item("a")]), /gone/, "asked again");
  assert.equal(asked.length, 2);
});

test("every kind of card has what the grid asks of one, and its own page size and tile width", () => {
  const kept = new Map();
  const storage = { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value) };
  for (const card of Object.values(CARDS)) {
    for (const name of ["store", "fill", "fillSmall", "large", "legend"]) assert.equal(typeof card[name], "function", name);
    const { min, max } = card.tilePx;
    assert.ok(min <= card.usual.tilePx && card.usual.tilePx <= max);
    const preferences = new Preferences(storage, "p", card);
    assert.equal(preferences.tilePx, card.usual.tilePx);
    preferences.tilePx = max;
  }
  assert.equal(kept.size, Object.keys(CARDS).length);
});
