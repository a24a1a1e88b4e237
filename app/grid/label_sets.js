// Labels that are sets of classes, as one text each: the classes in their order with | between them. All functions are pure.

const SEPARATOR = "|";
export const NONE = "(none)";

/** The classes of a label; [] of one that says none, and of no label. */
export function membersOf(label) {
  return label === null || label === undefined || label === NONE ? [] : label.split(SEPARATOR);
}

/** The label that has these classes. names: a Set or a list; classes: all of them, in order */
export function labelOf(names, classes) {
  const wanted = new Set(names);
  return classes.filter((name) => wanted.has(name)).join(SEPARATOR) || NONE;
}

/** What picking a class does to some items: "remove" it if all have it, else "add" it to those that lack it. */
export function togglingOf(name, items) {
  return items.every((item) => membersOf(item.label).includes(name)) ? "remove" : "add";
}

/** The label of an item once a class is added or removed; undefined if that changes nothing. */
export function toggled(choice, item, name, classes) {
  const present = membersOf(item.label);
  const has = present.includes(name);
  if (has === (choice === "add")) return undefined;
  return labelOf(has ? present.filter((each) => each !== name) : [...present, name], classes);
}

/** A label in words. */
export function setText(label) {
  if (label === null || label === undefined) return "no label";
  return membersOf(label).join(", ") || "none of the classes";
}

/** What became of a set, such as "+7 −3": what it lacked before, and what it lacks now. */
export function changeText(from, to) {
  if (from === null || from === undefined) return setText(to);
  const [before, after] = [membersOf(from), membersOf(to)];
  const added = after.filter((name) => !before.includes(name)).map((name) => `+${name}`);
  const removed = before.filter((name) => !after.includes(name)).map((name) => `−${name}`);
  return [...added, ...removed].join("  ") || setText(to);
}

/** The chips of an item, in the order of the classes: [{name, state}], what it has, had, or may lack.
 *  state: "has", "added" (the source did not have it), "removed" (the source had it),
 *         "missing" (the model misses it), "superfluous" (the model doubts it), until that is decided */
export function chipsOf(item, classes) {
  const given = new Set(membersOf(item.given_label));
  const present = new Set(membersOf(item.label));
  const suspect = item.verdict === "label_right" ? undefined : item.suspect_label;
  const shown = new Set([...given, ...present, ...(suspect ? [suspect] : [])]);
  return classes.filter((name) => shown.has(name)).map((name) => ({ name, state: stateOf(name, given, present, suspect) }));
}

function stateOf(name, given, present, suspect) {
  if (present.has(name) !== given.has(name)) return present.has(name) ? "added" : "removed";
  if (name === suspect) return present.has(name) ? "superfluous" : "missing";
  return "has";
}
