// How the grid shows an item, a kind of card each; the server says which one the items of a project have.
//
// A kind of card has
//   className: of what it is drawn into in a tile
//   usual: {pageSize, tilePx} until a person picks others, which are kept under the prefix `remembered`
//   tilePx: {min, max, step} of the width of a tile
//   store({api(), query()}): {load(items), get(item), clear()}, what is shown by item; get is undefined while it loads
//   fill(node, content, query), fillSmall(…): draw it into a tile, or where items are shown small beside others
//   large(api, query): {root, show(item, content), clear()}, the item in full
//   legend(contents, words): what its colours and signs mean, as nodes; [] if it has none; words: of the kind of label

import { pictureCard } from "./card_picture.js";
import { rowCard } from "./card_row.js";
import { textCard } from "./card_text.js";

export const CARDS = { picture: pictureCard, text: textCard, row: rowCard };
