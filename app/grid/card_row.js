// The card of a table row: its most important values in the grid, all of them in the focus view.

import { Paper } from "./card_paper.js";
import { CardStore } from "./card_store.js";
import { el, icon } from "./dom.js";
import { explanationNote, piecesOf, searchIn } from "./logic.js";

const N_SHORT = 6;
const N_SMALL = 3;

export const rowCard = {
  className: "values",
  usual: { pageSize: 60, tilePx: 272 },
  remembered: "row:",
  tilePx: { min: 224, max: 560, step: 16 },
  large: (api, query) => new LargeRow(api, query),

  store: ({ api, query }) => new CardStore({ fetchCards: (itemIds) => api().cards(query(), itemIds), context: query }),

  fill(node, card, query) {
    node.replaceChildren(...(card ? shortRow(card, N_SHORT, query) : []));
  },

  fillSmall(node, card, query) {
    node.replaceChildren(...(card ? shortRow(card, N_SMALL, query) : []));
  },

  legend: (cards, words) => [
    el("span", { class: "swatch" }, effectBar(0.8), ` speaks for ${words.explained}`),
    el("span", { class: "swatch" }, effectBar(-0.8), " speaks against it"),
    el("span", { class: "swatch" }, icon("unusual"), " unusual for its label"),
    el("span", { class: "unexplained" }, explanationNote(cards.filter((card) => !card.blind).map((card) => (card.explained ? [] : null)), "row", "rows")),
  ],
};

class LargeRow extends Paper {
  constructor(api, query) {
    super(api, query, el("div", { class: "cells" }));
  }

  paint(card) {
    this.content.replaceChildren(...(card ? card.cells.flatMap((cell) => cellOf(cell, this.query())) : []));
    this.about.textContent = card?.about ? `Bars: what speaks for and against “${card.about}”, as ${card.run_id} was trained.` : "";
    if (card && !card.explained && !card.blind) this.about.textContent = "This run has no explanation of this row: no bars are drawn, and the columns stand in their own order.";
  }
}

function shortRow(card, nShort, query) {
  const shown = card.cells.slice(0, nShort).flatMap((cell) => cellOf(cell, query));
  const nMore = card.n_cells - Math.min(nShort, card.cells.length);
  const more = nMore > 0 ? [el("span", { class: "whole", title: "Show the whole row (F)" }, `${nMore} more`)] : [];
  const about = card.say_about ? [el("span", { class: "said-about" }, `bars for and against “${card.about}”`)] : [];
  return [el("div", { class: "cells" }, ...shown), ...about, ...more];
}

/** Name, value and bar, and beneath them why the value is unusual. */
function cellOf({ name, value, effect, unusual }, query) {
  const missing = value === null;
  const strange = unusual ? " strange" : "";
  const words = missing ? ["missing"] : piecesOf(value, [], searchIn(query)).map(({ text, found }) => (found ? el("mark", { class: "found" }, text) : text));
  const cells = [
    el("span", { class: "name", title: name }, ...breakable(name)),
    el("span", { class: `value${missing ? " none" : ""}${strange}`, title: missing ? "missing" : value }, ...(unusual ? [icon("unusual")] : []), ...words),
    effect === null ? el("span", { class: "effect" }) : effectBar(effect),
  ];
  return unusual ? [...cells, el("span", { class: "reason-of-cell" }, unusual)] : cells;
}

/** A name that may be broken after each underscore. */
function breakable(name) {
  return name.split(/(?<=_)/).flatMap((part) => [part, el("wbr")]);
}

function effectBar(effect) {
  const side = effect > 0 ? "for" : effect < 0 ? "against" : "";
  const said = effect ? `speaks ${side} the label` : "no effect";
  return el("span", { class: `effect ${side}`, role: "img", "aria-label": said, title: said, style: `--strength: ${Math.abs(effect).toFixed(2)}` });
}
