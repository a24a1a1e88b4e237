// One tile of the grid: picture, given and predicted label, why it is here, and what was decided.

import { el, icon } from "./dom.js";
import { STATUS_TEXT, percent, quoted, shortReason } from "./logic.js";

const STATUS_ICON = { kept: "check", relabelled: "pen", added: "plus", unsure: "question", excluded: "cross" };

export class Tile {
  constructor(index) {
    this.picture = el("div", { class: "picture" });
    this.badge = el("div", { class: "badge" });
    this.badge.hidden = true;
    this.given = el("span", { class: "label" });
    this.predicted = el("span", { class: "label" });
    this.probability = el("span", { class: "probability" });
    this.reason = el("p", { class: "reason" });
    this.root = el("div", { class: "tile", role: "option", "data-index": String(index), "aria-selected": "false" },
      el("div", { class: "frame" }, this.picture, this.badge),
      el("div", { class: "line given" }, el("span", { class: "tag" }, "given"), this.given),
      el("div", { class: "line predicted" }, el("span", { class: "tag" }, "model"), this.predicted, this.probability),
      this.reason);
  }

  show(item, pictures, by) {
    this.item = item;
    this.given.textContent = item.given_label ?? "no label";
    this.given.classList.toggle("none", item.given_label === null);
    this.given.title = item.given_label ?? "";
    this.predicted.textContent = item.predicted_label ?? "–";
    this.predicted.title = item.predicted_label ?? "";
    this.probability.textContent = percent(item.p_predicted);
    this.root.classList.toggle("agrees", item.given_label === item.predicted_label);
    this.reason.textContent = shortReason(item, by);
    this.root.title = `${item.path}\nrank ${item.rank} · ${item.split}\n${quoted(item.reason)}`;
    this.showPicture(pictures);
    this.showState(item);
  }

  showPicture(pictures) {
    const image = pictures.get(this.item?.item_id);
    this.picture.classList.toggle("missing", image === null);
    if (image) this.picture.replaceChildren(image);
    else this.picture.replaceChildren(image === null ? "picture cannot be read" : "");
  }

  showState(item) {
    const status = item.verdict ? item.status : "";
    this.root.dataset.status = status;
    this.root.classList.toggle("pending", Boolean(item.pending));
    this.badge.hidden = !status;
    this.root.setAttribute("aria-label", this.spoken(item));
    if (!status) return;
    const renamed = status === "relabelled" || status === "added";
    const text = item.verdict === "out_of_scope" ? "out of scope" : STATUS_TEXT[status];
    this.badge.replaceChildren(icon(STATUS_ICON[status]), el("span", {}, renamed ? item.label : text));
    this.badge.title = [text, renamed ? `as ${item.label}` : "", item.annotator ? `by ${item.annotator}` : ""].filter(Boolean).join(" ");
  }

  mark({ selected, cursor }) {
    this.root.classList.toggle("selected", selected);
    this.root.classList.toggle("cursor", cursor);
    this.root.setAttribute("aria-selected", String(selected));
  }

  spoken(item) {
    const labels = `given ${item.given_label ?? "no label"}, predicted ${item.predicted_label ?? "nothing"} ${percent(item.p_predicted)}`;
    return item.verdict ? `${labels}, ${STATUS_TEXT[item.status]}` : labels;
  }
}
