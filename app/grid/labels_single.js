// One of the classes an item: picking a class relabels.

import { el } from "./dom.js";
import { percent, quoted } from "./logic.js";

export const oneLabel = {
  words: {
    row: "Relabel as",
    right: "Label is right",
    accept: "Accept prediction",
    pick: (name) => `Relabel as ${name}`,
    find: (what) => `Relabel ${what} as`,
    scope: "out of scope: none of the classes",
    finder: "Class to relabel as",
    explained: "the given label",
    explainedUnlabelled: (what) => `of unlabelled ${what}: for and against the predicted one`,
  },
  sheet: [
    ["Q", "the given label is right"],
    ["W", "accept the model's prediction"],
    ["1 – 9, 0", "relabel as the class with that key"],
    ["⇧1 – ⇧0", "relabel as one of the next ten classes"],
    ["/ or any other letter", "find a class by its name, Enter takes it"],
  ],
  staysFramed: false,
  choices: { class: "Do it" },
  meant: () => "class",
  wanted: (choice, item, name) => name,
  question: (choice, name) => ["Relabel", ` as “${name}”`],
  pressed: () => null,

  reason(item, by) {
    if (item.blind) return "shown blind: what is it?";
    if (by === "label_quality" && item.seen) return quoted(item.seen);
    const inSample = item.kind === "in_sample" ? "in sample · " : "";
    const next = `next: ${item.second_label} (${percent(item.p_second)})`;
    if (by === "confusion" || by === "entropy") return inSample + next;
    if (item.given_label === null) return `${inSample}no label yet, ${next}`;
    if (item.given_label === item.predicted_label) return `${inSample}as labelled, ${next}`;
    return `${inSample}given ${item.given_label}: ${percent(item.p_given)}`;
  },

  text: (label) => label ?? "no label",
  change: (from, to) => `${from ?? "no label"} → ${to}`,
  badge: (item, status) => ({ spoken: `${status} as`, shown: item.label }),
  subject: (item) => (item.given_label === null ? [] : [item.given_label]),

  lines: () => new Lines(),
  largeLines(item) {
    const given = item.blind ? "hidden" : (item.given_label ?? "no label");
    const predicted = item.blind ? "hidden" : `${item.predicted_label ?? "–"} ${percent(item.p_predicted).replace(" ", "\u00a0")}`;
    return [line("given", given), line("model", predicted)];
  },
};

class Lines {
  constructor() {
    this.given = el("span", { class: "label" });
    this.predicted = el("span", { class: "label" });
    this.probability = el("span", { class: "probability" });
    this.nodes = [
      el("div", { class: "line given" }, el("span", { class: "tag" }, "given"), this.given),
      el("div", { class: "line predicted" }, el("span", { class: "tag" }, "model"), this.predicted, this.probability),
    ];
  }

  show(item) {
    this.given.textContent = item.blind ? "hidden" : (item.given_label ?? "no label");
    this.given.classList.toggle("none", item.given_label === null);
    this.given.title = item.given_label ?? "";
    this.predicted.textContent = item.blind ? "hidden" : (item.predicted_label ?? "–");
    this.predicted.title = item.predicted_label ?? "";
    this.probability.textContent = percent(item.p_predicted);
  }

  /** What was decided stands on the badge. */
  showState() {}
}

function line(tag, text) {
  return el("div", { class: `line ${tag === "given" ? "given" : "predicted"}` }, el("span", { class: "tag" }, tag), el("span", { class: "label" }, text));
}
