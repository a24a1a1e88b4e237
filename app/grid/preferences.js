// How a person likes the grid, remembered in this browser.

const DEFAULTS = { pageSize: 60, tilePx: 152, keysByProbability: false, updatesByItself: false, codebook: undefined };

export class Preferences {
  /** storage: {getItem, setItem}; project: the classes used last are kept for each project apart. */
  constructor(storage, project) {
    this.storage = storage;
    this.project = project;
    for (const [name, value] of Object.entries(DEFAULTS)) {
      Object.defineProperty(this, name, { get: () => this.read(name, value), set: (next) => this.write(name, next) });
    }
  }

  get recent() {
    return this.read(`recent:${this.project}`, []);
  }

  set recent(names) {
    this.write(`recent:${this.project}`, names);
  }

  read(name, otherwise) {
    try {
      return JSON.parse(this.storage.getItem(`winnow:${name}`)) ?? otherwise;
    } catch (error) {
      return otherwise;
    }
  }

  /** A preference that cannot be kept is no reason to stop anybody's work. */
  write(name, value) {
    try {
      this.storage.setItem(`winnow:${name}`, JSON.stringify(value));
    } catch (error) {
      return;
    }
  }
}
