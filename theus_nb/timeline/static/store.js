/**
 * What the page knows of runs: columns, and lanes of lines in which nothing overlaps.
 * Rows may arrive twice, late or in any order; the newest state of a run counts, an end is final.
 */

export const STATUS = ["waiting", "queued", "running", "finished", "failed", "cancelled", "abandoned"];
export const RUNNING = 2;
export const FINISHED = 3;
export const FAILED = 4;

/** Lines of a lane; what overlaps more is in its density only. */
export const MOST_LINES = 48;

/** A growing typed array. @template {Float64Array|Uint32Array|Uint8Array} T */
export class Column {
  /** @param {new (size: number) => T} Kind */
  constructor(Kind) {
    this.Kind = Kind;
    this.data = new Kind(64);
    this.size = 0;
  }

  /** @param {number} value */
  push(value) {
    if (this.size === this.data.length) {
      const wider = new this.Kind(this.size * 2);
      wider.set(this.data);
      this.data = wider;
    }
    this.data[this.size++] = value;
  }

  /** Add to values that are sorted, and stay so. @param {number} value */
  insert(value) {
    this.push(value);
    const { data } = this;
    let i = this.size - 1;
    for (; i > 0 && data[i - 1] > value; i--) data[i] = data[i - 1];
    data[i] = value;
  }

  /** How many of the sorted values are below a limit. @param {number} limit */
  below(limit) {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.data[middle] < limit) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Runs one after another; `busy[i]` is the time taken by those before the i-th. */
export class Line {
  constructor() {
    this.ids = new Column(Uint32Array);
    this.busy = new Column(Float64Array);
    this.free = -Infinity;
  }
}

export class Lane {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    /** @type {Line[]} */ this.lines = [];
    this.starts = new Column(Float64Array);
    this.ends = new Column(Float64Array);
    this.failures = new Column(Float64Array);
  }

  /** How many runs there were at some time between two. @param {number} a @param {number} b */
  count(a, b) {
    return this.starts.below(b) - this.ends.below(a);
  }
}

const ORDER = ["loop", "waiting", "cell", "state"];

/** @param {string} name */
function rank(name) {
  const known = ORDER.indexOf(name);
  return known < 0 ? ORDER.length : known;
}

/** @param {string} a @param {string} b */
export function compareLanes(a, b) {
  return rank(a) - rank(b) || a.localeCompare(b, "en", { numeric: true });
}

export class Store {
  constructor() {
    this.run = new Column(Float64Array);
    this.parent = new Column(Float64Array);
    this.submitted = new Column(Float64Array);
    this.started = new Column(Float64Array);
    this.ended = new Column(Float64Array);
    this.process = new Column(Uint32Array);
    this.status = new Column(Uint8Array);
    this.line = new Column(Uint8Array);
    this.laneName = new Column(Uint32Array);
    /** @type {(Lane | undefined)[]} */ this.laneOf = [];
    /** @type {Map<number, number>} */ this.byRun = new Map();
    /** @type {Map<string, Lane>} */ this.lanes = new Map([["loop", new Lane("loop")]]);
    /** @type {Set<number>} */ this.waiting = new Set();
    /** @type {Set<number>} */ this.open = new Set();
    /** @type {string[]} */ this.names = [];
    /** @type {{reader: number, writer: number, path: number}[]} */ this.reads = [];
    /** @type {Set<string>} */ this.seenReads = new Set();
    /** @type {number[]} */ this.counts = STATUS.map(() => 0);
    this.first = Infinity;
    this.last = 0;
    this.lost = 0;
  }

  get size() {
    return this.run.size;
  }

  /** @param {number} id */
  name(id) {
    return this.names[this.process.data[id]] ?? "?";
  }

  /** @param {number} id */
  begin(id) {
    return this.started.data[id] || this.submitted.data[id];
  }

  /** @param {number} id @param {number} now */
  end(id, now) {
    return this.ended.data[id] || Math.max(now, this.begin(id));
  }

  /** @param {string} name */
  lane(name) {
    let lane = this.lanes.get(name);
    if (!lane) this.lanes.set(name, (lane = new Lane(name)));
    return lane;
  }

  /** Take rows over. @param {import("./wire.js").Rows} rows */
  apply(rows) {
    /** @type {number[]} */ const fresh = [];
    for (let i = 0; i < rows.run.length; i++) this.row(rows, i, fresh);
    let sorted = true;
    for (let i = 1; i < fresh.length && sorted; i++) sorted = this.begin(fresh[i - 1]) <= this.begin(fresh[i]);
    if (!sorted) fresh.sort((a, b) => this.begin(a) - this.begin(b));
    for (const id of fresh) {
      if (this.laneOf[id]) continue;
      const named = this.started.data[id] ? this.names[this.laneName.data[id]] || "state" : "waiting";
      this.place(id, this.lane(named));
    }
    for (let i = 0; i < rows.reader.length; i++) {
      const key = `${rows.reader[i]} ${rows.writer[i]} ${rows.path[i]}`;
      if (this.seenReads.size > 50_000 || this.seenReads.has(key)) continue;
      this.seenReads.add(key);
      this.reads.push({ reader: rows.reader[i], writer: rows.writer[i], path: rows.path[i] });
    }
  }

  /** @param {import("./wire.js").Rows} rows @param {number} i @param {number[]} fresh */
  row(rows, i, fresh) {
    const known = this.byRun.get(rows.run[i]);
    const id = known ?? this.add(rows, i);
    if (known !== undefined && this.ended.data[id]) return;
    const placed = this.laneOf[id] !== undefined;
    this.counts[this.status.data[id]] -= known === undefined ? 0 : 1;
    this.parent.data[id] ||= rows.parent[i];
    this.started.data[id] ||= rows.started[i];
    this.ended.data[id] = rows.ended[i] && Math.max(rows.ended[i], this.begin(id));
    this.status.data[id] = Math.min(rows.status[i], STATUS.length - 1);
    this.counts[this.status.data[id]]++;
    this.laneName.data[id] = rows.lane[i];
    const ended = this.ended.data[id];
    const started = this.started.data[id];
    this.first = Math.min(this.first, this.submitted.data[id]);
    this.last = Math.max(this.last, ended, started, this.submitted.data[id]);
    if (!ended && !started) this.waiting.add(id);
    else if (known !== undefined) this.waiting.delete(id);
    if (!ended) this.open.add(id);
    else if (known !== undefined) this.open.delete(id);
    if (placed) {
      if (ended) this.close(id);
    } else if (started || ended) {
      fresh.push(id);
    }
  }

  /** @param {import("./wire.js").Rows} rows @param {number} i */
  add(rows, i) {
    const id = this.size;
    this.byRun.set(rows.run[i], id);
    this.run.push(rows.run[i]);
    this.parent.push(0);
    this.submitted.push(rows.submitted[i]);
    this.started.push(0);
    this.ended.push(0);
    this.process.push(rows.process[i]);
    this.status.push(0);
    this.line.push(MOST_LINES);
    this.laneName.push(0);
    this.laneOf.push(undefined);
    return id;
  }

  /** Give a run its line: the first that is free when it begins. @param {number} id @param {Lane} lane */
  place(id, lane) {
    const begin = this.begin(id);
    this.laneOf[id] = lane;
    lane.starts.insert(begin);
    let at = 0;
    while (at < lane.lines.length && lane.lines[at].free > begin) at++;
    if (at < MOST_LINES) {
      if (at === lane.lines.length) lane.lines.push(new Line());
      const line = lane.lines[at];
      const size = line.ids.size;
      const before = size ? line.ids.data[size - 1] : -1;
      line.busy.push(size ? line.busy.data[size - 1] + this.end(before, 0) - this.begin(before) : 0);
      line.ids.push(id);
      line.free = Infinity;
      this.line.data[id] = at;
    }
    if (this.ended.data[id]) this.close(id);
  }

  /** A run that has its place has ended. @param {number} id */
  close(id) {
    const lane = this.laneOf[id];
    const end = this.ended.data[id];
    if (!lane) return;
    lane.ends.insert(end);
    if (this.line.data[id] < MOST_LINES) lane.lines[this.line.data[id]].free = end;
    if (this.status.data[id] === FAILED) lane.failures.insert(end);
  }

  /** The first position in a line whose run ends after a time. @param {Line} line @param {number} time @param {number} [from] */
  after(line, time, from = 0) {
    const ids = line.ids.data;
    let low = from;
    let high = line.ids.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const end = this.ended.data[ids[middle]];
      if (end === 0 || end > time) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Time taken in a line before a time. @param {Line} line @param {number} time */
  busy(line, time) {
    const at = this.after(line, time);
    const ids = line.ids.data;
    if (at < line.ids.size) {
      const begin = this.begin(ids[at]);
      return line.busy.data[at] + Math.max(0, time - begin);
    }
    if (!at) return 0;
    const last = ids[at - 1];
    return line.busy.data[at - 1] + this.end(last, 0) - this.begin(last);
  }

  /** Runs whose name or number contains a text, the newest first. @param {string} text @param {number} most */
  find(text, most) {
    const wanted = text.toLowerCase();
    const found = [];
    for (let id = this.size - 1; id >= 0 && found.length < most; id--) {
      if (`r${this.run.data[id]} ${this.name(id)}`.toLowerCase().includes(wanted)) found.push(id);
    }
    return found;
  }
}
