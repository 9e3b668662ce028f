// The notes themselves, apart from HTTP: bounded, in memory, searchable by word.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const MAX_TITLE = 200;
const MAX_TEXT = 16 * 1024;

export class Notes {
  #notes = new Map();
  #next = 1;
  #limit;

  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  get size() {
    return this.#notes.size;
  }

  add({ title, text, tags = [] }, now = new Date()) {
    if (typeof title !== "string" || title.trim() === "" || title.length > MAX_TITLE) {
      throw new Refused(422, `title has to be text of 1 to ${MAX_TITLE} characters`);
    }
    if (typeof text !== "string" || text.length > MAX_TEXT) {
      throw new Refused(422, `text has to be text of at most ${MAX_TEXT} characters`);
    }
    if (!Array.isArray(tags) || tags.length > 20 || !tags.every((tag) => /^[\w-]{1,40}$/.test(tag))) {
      throw new Refused(422, "tags has to be a list of at most 20 words");
    }
    if (this.#notes.size >= this.#limit) {
      throw new Refused(507, `there is room for ${this.#limit} notes; delete some`);
    }
    const note = { id: this.#next++, title: title.trim(), text, tags, created: now.toISOString() };
    this.#notes.set(note.id, note);
    return note;
  }

  // Newest first. Every word of `query` has to occur in the title, the text or the tags.
  list({ query = "", tag = "", limit = 50 } = {}) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    for (const note of [...this.#notes.values()].reverse()) {
      const hay = `${note.title}\n${note.text}\n${note.tags.join("\n")}`.toLowerCase();
      if ((tag === "" || note.tags.includes(tag)) && words.every((word) => hay.includes(word))) {
        found.push(note);
        if (found.length === limit) break;
      }
    }
    return found;
  }

  get(id) {
    const note = this.#notes.get(id);
    if (note === undefined) throw new Refused(404, `there is no note ${id}`);
    return note;
  }

  remove(id) {
    this.get(id);
    this.#notes.delete(id);
  }
}
