// Run with: node --test tests/app
import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../../app/grid/outbox.js";

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
  assert.deepEqual(log.at(-1), { nWaiting: 0, offline: false, blocked: false, message: "" });
});


test("a server that cannot save blocks, one that is not there does not, and either is over once it saves", async () => {
  const failures = [Object.assign(new Error("disk full"), { status: 503 }), Object.assign(new Error("gone"), { status: 0 })];
  const log = [];
  const box = outbox(async () => { if (failures.length) throw failures.shift(); }, memory(), log);
  box.add({ decisions: [] });
  await box.flush();
  assert.deepEqual(log.filter((state) => state.offline).map((state) => state.blocked), [true, false]);
  assert.equal(box.blocked, false);
});

test("an act that the browser cannot keep is not taken", () => {
  const full = { ...memory(), setItem: () => { throw new Error("quota"); } };
  const box = outbox(async () => {}, full);
  assert.throws(() => box.add({ decisions: [] }), /quota/);
  assert.equal(box.acts.length, 0);
  assert.equal(box.next, 1);
});

test("a bulk act waits like any other and names no items", async () => {
  const box = outbox(() => new Promise(() => {}));
  box.add({ bulk: { query: "by=loss", choice: "class", label: "cat", expected_n: 3 } });
  assert.equal(box.waiting().size, 0);
  assert.equal(box.acts.length, 1);
});

test("six hundred acts at any speed arrive once each and in order", async () => {
  const sent = [];
  const box = outbox(async (acts) => {
    await new Promise((done) => setTimeout(done, 1));
    sent.push(...acts.map((act) => act.seq));
  });
  for (let n = 0; n < 600; n += 1) {
    box.add({ decisions: [{ item_id: String(n) }] });
    if (n % 7 === 0) await new Promise((done) => setTimeout(done, 1));
  }
  await box.flush();
  assert.deepEqual(sent, Array.from({ length: 600 }, (_, place) => place + 1));
});
