// The card of a text: a few lines around the words that say most in the grid, the whole text in the focus view.

import { Paper } from "./card_paper.js";
import { CardStore } from "./card_store.js";
import { el } from "./dom.js";
import { explanationNote, piecesOf, searchIn } from "./logic.js";

export const textCard = {
  className: "passage",
  usual: { pageSize: 60, tilePx: 264 },
  remembered: "text:",
  tilePx: { min: 240, max: 640, step: 16 },
  large: (api, query) => new LargeText(api, query),

  store: ({ api, query }) => new CardStore({ fetchCards: (itemIds) => api().cards(query(), itemIds), context: query }),

  fill(node, card, query) {
    node.replaceChildren(...(card ? shortText(card, query) : []));
  },

  fillSmall(node, card, query) {
    textCard.fill(node, card, query);
  },

  legend: (cards, words) => [
    swatch("for", `speaks for ${words.explained}`),
    swatch("against", "speaks against it"),
    el("span", {}, words.explainedUnlabelled("texts")),
    el("span", { class: "unexplained" }, explanationNote(cards.filter((card) => !card.blind).map((card) => card.marks), "text", "texts")),
  ],
};

class LargeText extends Paper {
  constructor(api, query) {
    super(api, query, el("div", { class: "whole-text" }));
  }

  paint(card) {
    this.content.replaceChildren(...(card ? marked(card, this.query()) : []));
    this.about.textContent = card?.about ? `Marked: what speaks for and against “${card.about}”, as ${card.run_id} was trained.` : "";
    if (card && card.marks === null && !card.blind) this.about.textContent = "This run has no explanation of this text, so no words are marked.";
  }
}

function shortText(card, query) {
  const parts = [el("p", { class: "words" }, ...marked(card, query))];
  if (card.say_about) parts.push(el("span", { class: "said-about" }, `words for and against “${card.about}”`));
  if (card.cut) parts.push(el("span", { class: "whole", title: "Show the whole text (F)" }, "whole text"));
  return parts;
}

function marked(card, query) {
  return piecesOf(card.text, card.marks ?? [], searchIn(query)).map(({ text, effect, found }) => {
    if (!effect && !found) return text;
    const side = effect > 0 ? "for" : effect < 0 ? "against" : "";
    return el("mark", { class: `${side} ${found ? "found" : ""}`.trim(), style: `--strength: ${Math.abs(effect).toFixed(2)}` }, text);
  });
}

function swatch(side, text) {
  return el("span", { class: "swatch" }, el("mark", { class: side, style: "--strength: 0.8" }, "word"), ` ${text}`);
}
