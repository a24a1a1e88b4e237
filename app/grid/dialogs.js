// The dialogs of the grid: the sheet of keys, the question before a bulk act, the item while the mouse is held.

import { el } from "./dom.js";
import { keySheet } from "./logic.js";

/** Show a modal dialog inside `root`; resolves with its return value once it is closed, "" if it was dismissed. */
function open(root, label, classes, ...content) {
  const dialog = el("dialog", { class: classes, "aria-label": label }, ...content);
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close(""));
  root.append(dialog);
  dialog.showModal();
  return new Promise((closed) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      closed(dialog.returnValue);
    });
  });
}

function closing(text, value, attributes = {}) {
  const button = el("button", { type: "button", ...attributes }, text);
  button.addEventListener("click", () => button.closest("dialog").close(value));
  return button;
}

/** labels: the kind of label. */
export function showKeys(root, labels) {
  const groups = keySheet(labels).map(([title, keys]) =>
    el("section", {}, el("h3", {}, title),
      el("dl", {}, ...keys.flatMap(([key, text]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, text)]))));
  return open(root, "Keys", "sheet", el("h2", {}, "Keys"), el("div", { class: "groups" }, ...groups),
    el("p", { class: "foot" }, closing("Close", "", { autofocus: "" })));
}

/** Ask before an act on many items; resolves to the choice that is taken, "" if none is.
 *  offers: [[choice, question, text of its button], …] */
export function ask(root, offers) {
  const buttons = offers.map(([choice, , text], place) => closing(text, choice, place ? {} : { class: "main", autofocus: "" }));
  return open(root, "Confirm", "ask", ...offers.map(([, question]) => el("p", {}, question)),
    el("p", { class: "foot" }, ...buttons, closing("Cancel", "")));
}

/** An item in full over everything, until the function that this returns is called.
 *  large: as a kind of card makes it; content: what the grid shows of the item */
export function holdItem(root, caption, large, item, content) {
  const cover = el("div", { class: "held" }, large.root, el("p", {}, caption));
  root.append(cover);
  large.show(item, content).catch((failure) => { cover.lastChild.textContent = failure.message; });
  return () => {
    large.clear();
    cover.remove();
  };
}
