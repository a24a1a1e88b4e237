// How many of the classes an item has, a kind of label each; the server says which one a project has. A label is a text.
//
// A kind of label has
//   words: {row, right, accept, pick(name), find(what), scope, finder}: of the bar, the finder, the sheet of keys and the focus view;
//     {explained, explainedUnlabelled(what)}: what the marks of a card are about, and those of items without a label
//   sheet: [[keys, what they do], …], those keys that decide
//   staysFramed: whether an item stays framed when a class is picked, because another one may follow
//   meant(name, items): what picking a class does to these items, one of `choices`
//   choices: all that it can do, each with the text of its button: for everything in a filter a person picks one
//   wanted(choice, item, name, classes): the label that the item is to have; undefined = leave it as it is
//   question(choice, name): what is asked before it is done to many items, as [verb, what follows the items]
//   pressed(item): the classes whose buttons show as pressed, a Set; null = buttons have no such state
//   reason(item, by): why an item is here, short enough for a tile; the server's `reason` says it in full
//   text(label), change(from, to): a label, and what became of one, in words
//   badge(item, status): {spoken, shown}, a decision that changed the label, on a tile and for those who listen
//   subject(item): the classes that the codebook tells of when the filter names none
//   lines(): {nodes, show(item), showState(item, classes)}, the labels on a tile
//   largeLines(item, classes): the same in the focus view, as nodes; what is clicked in either to pick a class has data-class

import { severalLabels } from "./labels_multi.js";
import { oneLabel } from "./labels_single.js";

export const LABELS = { single: oneLabel, multi: severalLabels };
