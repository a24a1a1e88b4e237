// How a person likes the grid, remembered in this browser.

const DEFAULTS = { keysByProbability: undefined, updatesByItself: false, codebook: undefined };

export class Preferences {
  /** storage: {getItem, setItem}; project: the classes used last are kept for each project apart; card: the kind of
   *  card, whose page size and tile width are kept apart from those of other kinds. */
  constructor(storage, project, card) {
    this.storage = storage;
    this.project = project;
    for (const [name, value] of Object.entries(DEFAULTS)) this.define(name, name, value);
    for (const [name, value] of Object.entries(card.usual)) this.define(name, card.remembered + name, value);
  }

  define(name, key, otherwise) {
    Object.defineProperty(this, name, { get: () => this.read(key, otherwise), set: (next) => this.write(key, next) });
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
