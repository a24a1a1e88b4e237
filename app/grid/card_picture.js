// The card of an image: a thumbnail in the grid, decoded ahead; the full picture in the focus view.

import { el } from "./dom.js";
import { Pictures } from "./pictures.js";

const UNREADABLE = "picture cannot be read";

export const pictureCard = {
  className: "picture",
  usual: { pageSize: 60, tilePx: 152 },
  remembered: "",
  tilePx: { min: 96, max: 320, step: 8 },
  large: (api) => new LargePicture(api),

  store: ({ api }) => new Pictures((itemIds) => api().thumbnails(itemIds)),

  fill(node, image) {
    node.classList.toggle("missing", image === null);
    if (image) node.replaceChildren(image);
    else node.replaceChildren(image === null ? UNREADABLE : "");
  },

  fillSmall(node, image) {
    if (image) node.replaceChildren(image.cloneNode());
  },

  legend: () => [],
};

class LargePicture {
  constructor(api) {
    this.api = api;
    this.image = el("img", { alt: "" });
    this.root = el("div", { class: "large picture-box" }, this.image);
  }

  /** Show the thumbnail at once and the full picture once it is here; rejects if it cannot be had. */
  async show(item, thumbnail) {
    this.clear();
    this.item = item;
    this.image.alt = item.blind ? "item" : item.path;
    if (thumbnail) this.image.src = thumbnail.src;
    else this.image.removeAttribute("src");
    const blob = await this.api().picture(item.item_id);
    if (item !== this.item) return;
    this.url = URL.createObjectURL(blob);
    this.image.src = this.url;
  }

  clear() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.item = this.url = undefined;
  }
}
