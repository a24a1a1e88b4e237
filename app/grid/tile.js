// One tile of the grid: the item's card, given and predicted label, why it is here, and what was decided.

import { el, icon } from "./dom.js";
import { STATUS_TEXT, VERDICT_STATUS, nameOf, quoted } from "./logic.js";

const STATUS_ICON = { kept: "check", relabelled: "pen", added: "plus", unsure: "question", excluded: "cross" };
let nTiles = 0;

export class Tile {
  /** card, labels: the kinds of card and of label, see cards.js and labels.js. */
  constructor(index, card, labels) {
    nTiles += 1;
    this.card = card;
    this.labels = labels;
    this.content = el("div", { class: card.className });
    this.badge = el("div", { class: "badge" });
    this.badge.hidden = true;
    this.lines = labels.lines();
    this.reason = el("p", { class: "reason" });
    this.root = el("div", { class: "tile", role: "option", id: `tile-${nTiles}`, "data-index": String(index), "aria-selected": "false" },
      el("div", { class: "frame" }, this.content, this.badge),
      ...this.lines.nodes,
      this.reason);
  }

  show(item, contents, { by, query, classes }) {
    this.item = item;
    this.classes = classes;
    this.lines.show(item);
    this.root.classList.toggle("agrees", !item.blind && item.given_label === item.predicted_label);
    this.root.classList.toggle("blind", Boolean(item.blind));
    this.reason.textContent = this.labels.reason(item, by);
    this.root.title = item.blind ? "Shown blind" : `${nameOf(item)}\nrank ${item.rank} · ${item.split}\n${quoted(item.reason)}`;
    this.showContent(contents, query);
    this.showState(item);
  }

  showContent(contents, query) {
    this.card.fill(this.content, contents.get(this.item), query);
  }

  showState(item) {
    const status = item.verdict ? item.status : "";
    this.lines.showState(item, this.classes);
    if (this.root.dataset.status !== status) this.root.dataset.status = status;
    this.root.classList.toggle("pending", Boolean(item.pending));
    this.root.classList.toggle("conflict", Boolean(item.conflict));
    this.root.classList.toggle("noted", Boolean(item.note));
    this.badge.hidden = !status;
    if (!status) return;
    if (item.conflict) {
      this.showConflict(item);
      return;
    }
    const renamed = status === "relabelled" || status === "added";
    const text = item.verdict === "out_of_scope" ? "out of scope" : STATUS_TEXT[status];
    const { spoken, shown } = renamed ? this.labels.badge(item, text) : { shown: text };
    this.badge.replaceChildren(icon(STATUS_ICON[status]), ...(spoken ? [el("span", { class: "spoken" }, spoken)] : []), el("span", {}, shown));
    this.badge.title = [text, renamed ? `as ${this.labels.text(item.label)}` : "", item.annotator ? `by ${item.annotator}` : ""].filter(Boolean).join(" ");
  }

  /** Both labels: what somebody else decided, which stands, and what this person wanted, which was not applied. */
  showConflict(item) {
    const theirs = `${item.conflict.by}: ${decidedText(item, this.labels)}`;
    const own = `yours: ${decidedText({ ...item, ...item.conflict, label: item.conflict.label ?? item.label }, this.labels)}`;
    this.badge.replaceChildren(icon("clash"), el("span", {}, `${theirs} · ${own}`));
    this.badge.title = `${item.conflict.by} was here first, so that yours was not applied. Decide again to overrule.`;
  }

  mark({ selected, cursor }) {
    if (selected === this.isSelected && cursor === this.isCursor) return;
    this.isSelected = selected;
    this.isCursor = cursor;
    this.root.classList.toggle("selected", selected);
    this.root.classList.toggle("cursor", cursor);
    this.root.setAttribute("aria-selected", String(selected));
  }
}

/** "relabelled as boot", "label is right" … */
function decidedText({ verdict, label }, labels) {
  const status = VERDICT_STATUS[verdict];
  if (verdict === "out_of_scope") return "out of scope";
  return status === "relabelled" || status === "added" ? `${STATUS_TEXT[status]} as ${labels.text(label)}` : STATUS_TEXT[status];
}
