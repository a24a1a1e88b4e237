// Any number of the classes an item: picking a class adds or removes it, and one of them may be suspect.

import { el, icon } from "./dom.js";
import { changeText, chipsOf, membersOf, setText, toggled, togglingOf } from "./label_sets.js";
import { percent, quoted } from "./logic.js";

// Beside its colour each state has a sign, an outline or words of its own.
const STATES = {
  has: { says: "", next: "Remove" },
  added: { sign: "plus", says: "added", next: "Remove" },
  removed: { sign: "minus", says: "removed", next: "Add" },
  missing: { says: "missing?", next: "Add" },
  superfluous: { says: "superfluous?", next: "Remove" },
};

export const severalLabels = {
  words: {
    row: "Add or remove",
    right: "Labels are right",
    accept: "Take the model's",
    pick: (name) => `Add or remove ${name}`,
    find: (what) => `Add to ${what}, or remove`,
    scope: "out of scope: not what these labels are about",
    finder: "Class to add or remove",
    explained: "having the label that the card names",
    explainedUnlabelled: (what) => `of unlabelled ${what}: the most probable one`,
  },
  sheet: [
    ["Q", "the given labels are right"],
    ["W", "take the model's labels"],
    ["1 – 9, 0", "add the class with that key, or remove it; of several items: add where it lacks, else remove"],
    ["⇧1 – ⇧0", "the same with the next ten classes"],
    ["/ or any other letter", "find a class by its name, Enter adds or removes it"],
    ["click a label", "add or remove that one"],
  ],
  staysFramed: true,
  choices: { add: "Add", remove: "Remove" },
  meant: togglingOf,
  wanted: toggled,
  question: (choice, name) => (choice === "add" ? [`Add “${name}” to`, ""] : [`Remove “${name}” from`, ""]),
  pressed: (item) => new Set(membersOf(item?.label)),

  reason(item, by) {
    if (item.blind) return "shown blind: what is in it?";
    if (by === "label_quality" && item.seen) return quoted(item.seen);
    const inSample = item.kind === "in_sample" ? "in sample · " : "";
    if (item.given_label === null) return `${inSample}no labels yet`;
    if (!item.suspect) return `${inSample}${item.given_label === item.predicted_label ? "as labelled" : "no label is suspect"}`;
    return `${inSample}${item.suspect_label} ${item.suspect}? model: ${percent(item.p_second)}`;
  },

  text: setText,
  change: changeText,
  badge: (item, status) => ({ spoken: status, shown: changeText(item.blind ? null : item.given_label, item.label) }),
  subject: (item) => [item.suspect_label ?? membersOf(item.given_label)[0]].filter(Boolean),

  lines: () => new SetLines(),
  largeLines(item, classes) {
    const lines = new SetLines();
    lines.show(item, classes);
    lines.showState(item, classes);
    return lines.nodes;
  },
};

class SetLines {
  constructor() {
    this.present = el("span", { class: "set" });
    this.predicted = el("span", { class: "label" });
    this.nodes = [
      el("div", { class: "line given" }, el("span", { class: "tag" }, "labels"), this.present),
      el("div", { class: "line predicted" }, el("span", { class: "tag" }, "model"), this.predicted),
    ];
  }

  show(item) {
    const predicted = item.predicted_label === null || item.predicted_label === undefined ? "–" : setText(item.predicted_label);
    this.predicted.textContent = item.blind ? "hidden" : predicted;
    this.predicted.title = item.blind ? "" : predicted;
  }

  showState(item, classes) {
    const none = item.blind && !item.verdict ? "hidden" : setText(item.label);
    const chips = chipsOf(item, classes).map(chip);
    this.present.replaceChildren(...(membersOf(item.label).length ? [] : [el("span", { class: "none" }, none)]), ...chips);
  }
}

function chip({ name, state }) {
  const { sign, says, next } = STATES[state];
  return el("span", { class: `set-chip ${state}`, "data-class": name, title: `${[name, says].filter(Boolean).join(" ")}\n${next} it` },
    ...(sign ? [icon(sign)] : []), el("span", { class: "name" }, name), ...(says.endsWith("?") ? [el("span", { class: "says" }, says)] : []),
    ...(sign ? [el("span", { class: "spoken" }, says)] : []));
}
