// Thumbnails by item, fetched a page at a time, decoded ahead, the least recently used dropped.

const MAX_KEPT = 900;

export class Pictures {
  constructor(fetchBlobs) {
    this.fetchBlobs = fetchBlobs;
    this.kept = new Map();
    this.loading = new Map();
  }

  /** The <img> of an item, or undefined while it is not here; null if the picture is missing on the server. */
  get(item) {
    const image = this.kept.get(item?.item_id);
    if (image !== undefined) {
      this.kept.delete(item.item_id);
      this.kept.set(item.item_id, image);
    }
    return image;
  }

  /** Make sure that these items' pictures are here and decoded. */
  async load(items) {
    const itemIds = items.map((item) => item.item_id);
    const unknown = itemIds.filter((itemId) => !this.kept.has(itemId) && !this.loading.has(itemId));
    if (unknown.length) {
      const work = this.fetchAll(unknown).finally(() => unknown.forEach((itemId) => this.loading.delete(itemId)));
      unknown.forEach((itemId) => this.loading.set(itemId, work));
    }
    await Promise.all(new Set(itemIds.map((itemId) => this.loading.get(itemId))));
  }

  async fetchAll(itemIds) {
    const blobs = await this.fetchBlobs(itemIds);
    await Promise.all(itemIds.map((itemId, index) => this.keep(itemId, blobs[index])));
    while (this.kept.size > MAX_KEPT) this.drop(this.kept.keys().next().value);
  }

  async keep(itemId, blob) {
    if (!blob) {
      this.kept.set(itemId, null);
      return;
    }
    const image = new Image();
    image.alt = "";
    image.draggable = false;
    image.src = URL.createObjectURL(blob);
    await image.decode();
    this.kept.set(itemId, image);
  }

  drop(itemId) {
    const image = this.kept.get(itemId);
    if (image) URL.revokeObjectURL(image.src);
    this.kept.delete(itemId);
  }

  clear() {
    [...this.kept.keys()].forEach((itemId) => this.drop(itemId));
  }
}
