// Which key names which class, and finding a class by typing part of its name. All functions are pure.

const N_KEYS = 20;
const SEPARATORS = /[^\p{L}\p{N}]+/u;

/** The class that a digit key names: 1-9 and 0 the first ten in `order`, with Shift the next ten; null if there is none. */
export function classOfDigit(digit, shift, order) {
  const place = (digit === 0 ? 9 : digit - 1) + (shift ? 10 : 0);
  return order[place] ?? null;
}

/** The key printed beside the class at a place of the order, "" from the 21st on. */
export function keyOfPlace(place) {
  if (place >= N_KEYS) return "";
  const digit = String((place + 1) % 10);
  return place < 10 ? digit : `⇧${digit}`;
}

/** Whether the keys follow the framed item's probabilities: as the person chose, else once not every class has a key.
 *  chosen: true, false, or undefined. */
export function followsProbability(chosen, nClasses) {
  return chosen ?? nClasses > N_KEYS;
}

/** How many classes have a key: those that are hardly ever probable enough to be picked need none. */
export function nKeyed(nClasses, byProbability) {
  return byProbability && nClasses > N_KEYS ? N_KEYS / 2 : N_KEYS;
}

/** The classes with the item's most probable ones first, the others after them as they are.
 *  top: positions in `classes`, most probable first; of classes that were merged one may come twice. */
export function orderByProbability(classes, top) {
  const first = [...new Set((top ?? []).map((position) => classes[position]))].filter((name) => name !== undefined);
  const taken = new Set(first);
  return [...first, ...classes.filter((name) => !taken.has(name))];
}

/** The classes that fit what was typed, best first: the start of the name, the start of a word, letters together,
 *  letters in order. Among equals the ones used last come first, then the order of `classes`. */
export function findClasses(typed, classes, recent = []) {
  const wanted = fold(typed);
  const found = [];
  classes.forEach((name, place) => {
    const fit = fitOf(wanted, fold(name));
    if (fit === null) return;
    const used = recent.indexOf(name);
    found.push({ name, fit, used: used < 0 ? recent.length : used, place });
  });
  found.sort((a, b) => a.fit - b.fit || a.used - b.used || a.place - b.place);
  return found.map((each) => each.name);
}

/** The names used last, newest first, each once. */
export function withRecent(recent, name, limit = 12) {
  return [name, ...recent.filter((each) => each !== name)].slice(0, limit);
}

function fold(text) {
  return text.normalize("NFKD").replace(/\p{Mn}/gu, "").toLowerCase().trim();
}

/** 0 is the best fit; null is none. */
function fitOf(wanted, name) {
  if (!wanted) return 0;
  if (name === wanted) return 0;
  const together = joined(wanted) || wanted;
  if (name.startsWith(wanted) || joined(name).startsWith(together)) return 1;
  if (name.split(SEPARATORS).some((word) => word.startsWith(wanted))) return 2;
  if (name.includes(wanted) || joined(name).includes(together)) return 3;
  return inOrder(wanted, name) ? 4 : null;
}

/** A name written as one word: "top_up" is found as "topup" and as "top up". */
function joined(name) {
  return name.split(SEPARATORS).join("");
}

function inOrder(wanted, name) {
  let from = 0;
  for (const letter of wanted) {
    from = name.indexOf(letter, from);
    if (from < 0) return false;
    from += letter.length;
  }
  return true;
}
