// One tile of the grid: the item's card, given and predicted label, why it is here, and what was decided.

import { el, icon } from "./dom.js";
import { STATUS_TEXT, VERDICT_STATUS, nameOf, percent, quoted, shortReason } from "./logic.js";

const STATUS_ICON = { kept: "check", relabelled: "pen", added: "plus", unsure: "question", excluded: "cross" };
let nTiles = 0;

export class Tile {
  /** card: the kind of card, see cards.js. */
  constructor(index, card) {
    nTiles += 1;
    this.card = card;
    this.content = el("div", { class: card.className });
    this.badge = el("div", { class: "badge" });
    this.badge.hidden = true;
    this.given = el("span", { class: "label" });
    this.predicted = el("span", { class: "label" });
    this.probability = el("span", { class: "probability" });
    this.reason = el("p", { class: "reason" });
    this.root = el("div", { class: "tile", role: "option", id: `tile-${nTiles}`, "data-index": String(index), "aria-selected": "false" },
      el("div", { class: "frame" }, this.content, this.badge),
      el("div", { class: "line given" }, el("span", { class: "tag" }, "given"), this.given),
      el("div", { class: "line predicted" }, el("span", { class: "tag" }, "model"), this.predicted, this.probability),
      this.reason);
  }

  show(item, contents, { by, query }) {
    this.item = item;
    this.given.textContent = givenText(item);
    this.given.classList.toggle("none", item.given_label === null);
    this.given.title = item.given_label ?? "";
    this.predicted.textContent = item.blind ? "hidden" : (item.predicted_label ?? "–");
    this.predicted.title = item.predicted_label ?? "";
    this.probability.textContent = percent(item.p_predicted);
    this.root.classList.toggle("agrees", !item.blind && item.given_label === item.predicted_label);
    this.root.classList.toggle("blind", Boolean(item.blind));
    this.reason.textContent = shortReason(item, by);
    this.root.title = item.blind ? "Shown blind" : `${nameOf(item)}\nrank ${item.rank} · ${item.split}\n${quoted(item.reason)}`;
    this.showContent(contents, query);
    this.showState(item);
  }

  showContent(contents, query) {
    this.card.fill(this.content, contents.get(this.item), query);
  }

  showState(item) {
    const status = item.verdict ? item.status : "";
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
    const spoken = renamed ? [el("span", { class: "spoken" }, `${text} as`)] : [];
    this.badge.replaceChildren(icon(STATUS_ICON[status]), ...spoken, el("span", {}, renamed ? item.label : text));
    this.badge.title = [text, renamed ? `as ${item.label}` : "", item.annotator ? `by ${item.annotator}` : ""].filter(Boolean).join(" ");
  }

  /** Both labels: what somebody else decided, which stands, and what this person wanted, which was not applied. */
  showConflict(item) {
    const theirs = `${item.conflict.by}: ${decidedText(item)}`;
    const own = `yours: ${decidedText({ ...item, ...item.conflict, label: item.conflict.label ?? item.label })}`;
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

function givenText(item) {
  return item.blind ? "hidden" : (item.given_label ?? "no label");
}

/** "relabelled as boot", "label is right" … */
function decidedText({ verdict, label }) {
  const status = VERDICT_STATUS[verdict];
  if (verdict === "out_of_scope") return "out of scope";
  return status === "relabelled" || status === "added" ? `${STATUS_TEXT[status]} as ${label}` : STATUS_TEXT[status];
}
