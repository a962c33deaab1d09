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

/** @typedef {Column<Float64Array>} Times */

/** A growing typed array. @template {Float64Array|Uint32Array|Uint8Array} T */
export class Column {
  /** @param {new (size: number) => T} Kind */
  constructor(Kind) {
    this.Kind = Kind;
    this.data = new Kind(64);
    this.size = 0;
  }

  /** Make room for so many values. @param {number} size */
  reserve(size) {
    if (size <= this.data.length) return;
    const wider = new this.Kind(Math.max(size, this.data.length * 2));
    wider.set(this.data);
    this.data = wider;
  }

  /** @param {number} value */
  push(value) {
    this.reserve(this.size + 1);
    this.data[this.size++] = value;
  }

  /** Add to values that are sorted, and stay so. @param {Float64Array} more in any order, sorted here */
  merge(more) {
    more.sort();
    let old = this.size - 1;
    this.size += more.length;
    this.reserve(this.size);
    const { data } = this;
    let next = more.length - 1;
    for (let at = this.size - 1; next >= 0; at--) {
      data[at] = old >= 0 && data[old] > more[next] ? data[old--] : more[next--];
    }
  }

  /** How many of the sorted values are below a limit; quick for a few more than a number that is known to be. @param {number} limit */
  below(limit, low = 0) {
    const { data } = this;
    let high = this.size;
    for (let step = 8; low + step < high; step *= 2) {
      if (data[low + step] < limit) low += step + 1;
      else high = low + step;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (data[middle] < limit) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const floats = () => new Column(Float64Array);
const wholes = () => new Column(Uint32Array);
const bytes = () => new Column(Uint8Array);

/** Ids by run numbers: a hash table, in which numbers that follow each other never meet. */
class Index {
  /** @param {Column<Float64Array>} runs by id */
  constructor(runs) {
    this.runs = runs;
    this.table = new Uint32Array(256);
  }

  /** Where a number is or would be. @param {number} run */
  at(run) {
    const { table, runs: { data } } = this;
    const mask = table.length - 1;
    let at = run & mask;
    while (table[at] && data[table[at] - 1] !== run) at = (at + 1) & mask;
    return at;
  }

  /** @param {number} run */
  get(run) {
    const found = this.table[this.at(run)];
    return found ? found - 1 : undefined;
  }

  /** Make room for so many ids. @param {number} size */
  reserve(size) {
    if (2 * size <= this.table.length) return;
    this.table = new Uint32Array(2 ** Math.ceil(Math.log2(3 * size)));
    for (let id = 0; id < this.runs.size; id++) this.table[this.at(this.runs.data[id])] = id + 1;
  }
}

/** Runs one after another; `ends[i]` is infinite while it runs, `busy[i]` the time taken by those before it. */
export class Line {
  constructor() {
    this.ids = wholes();
    this.ends = floats();
    this.busy = floats();
    this.free = -Infinity;
  }
}

export class Lane {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    /** @type {Line[]} */ this.lines = [];
    this.starts = floats();
    this.ends = floats();
    this.failures = floats();
    /** Runs for which there is no line. */ this.left = 0;
    /** @type {number[]} */ this.fresh = [];
    /** @type {number[]} */ this.ended = [];
    /** @type {number[]} */ this.failed = [];
  }

  /** How many runs there were at some time between two. @param {number} a @param {number} b */
  count(a, b) {
    return this.starts.below(b) - this.ends.below(a);
  }
}

const ORDER = ["loop", "waiting", "cell", "state"];
const NUMBERED = new Intl.Collator("en", { numeric: true });

/** @param {string} name */
const rank = (name) => ORDER.indexOf(name) + 1 || ORDER.length + 1;

/** @param {string} a @param {string} b */
export function compareLanes(a, b) {
  return rank(a) - rank(b) || NUMBERED.compare(a, b);
}

export class Store {
  constructor() {
    this.run = floats();
    this.parent = floats();
    this.submitted = floats();
    this.started = floats();
    this.ended = floats();
    this.process = wholes();
    this.status = bytes();
    /** Percent of its time that a run's thread computed, once that is known. */ this.cpu = bytes();
    this.line = bytes();
    /** @type {(Lane | undefined)[]} */ this.laneOf = [];
    this.byRun = new Index(this.run);
    /** @type {Map<string, Lane>} */ this.lanes = new Map([["loop", new Lane("loop")]]);
    /** @type {Set<number>} */ this.waiting = new Set();
    /** @type {Set<number>} */ this.open = new Set();
    /** @type {string[]} */ this.names = [];
    /** @type {{reader: number, writer: number, path: number}[]} */ this.reads = [];
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

  /** What a run is called: r7. @param {number} id */
  label(id) {
    return `r${this.run.data[id]}`;
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
    // Every column, and the index.
    for (const part of Object.values(this)) part?.reserve?.(this.size + rows.run.length);
    /** @type {Lane[]} */ const lanes = [];
    for (let i = 0; i < rows.run.length; i++) this.row(rows, i, lanes);
    for (const lane of this.lanes.values()) this.settle(lane);
    rows.reader.forEach((reader, i) => this.reads.push({ reader, writer: rows.writer[i], path: rows.path[i] }));
    if (this.reads.length > 50_000) this.reads.splice(0, 25_000);
  }

  /** @param {import("./wire.js").Rows} rows @param {number} i @param {Lane[]} lanes by the number of their name */
  row(rows, i, lanes) {
    const { run, byRun: { table } } = this;
    const place = this.byRun.at(rows.run[i]);
    const known = table[place];
    const id = known ? known - 1 : run.size;
    if (!known) {
      // There is room, and what is not set here is zero.
      run.data[id] = rows.run[i];
      table[place] = ++run.size;
      this.submitted.data[id] = rows.submitted[i];
      this.process.data[id] = rows.process[i];
      this.line.data[id] = MOST_LINES;
      this.laneOf.push(undefined);
    } else if (this.ended.data[id]) return;
    else this.counts[this.status.data[id]]--;
    const submitted = this.submitted.data[id];
    const started = (this.started.data[id] ||= rows.started[i]);
    const ended = (this.ended.data[id] = rows.ended[i] && Math.max(rows.ended[i], started || submitted));
    const status = (this.status.data[id] = Math.min(rows.status[i], STATUS.length - 1));
    this.parent.data[id] ||= rows.parent[i];
    this.cpu.data[id] = rows.cpu[i];
    this.counts[status]++;
    this.first = Math.min(this.first, submitted);
    this.last = Math.max(this.last, ended, started, submitted);
    if (!ended && !started) this.waiting.add(id);
    else if (known) this.waiting.delete(id);
    if (!ended) this.open.add(id);
    else if (known) this.open.delete(id);
    let lane = this.laneOf[id];
    if (lane && ended && this.line.data[id] < MOST_LINES) {
      const line = lane.lines[this.line.data[id]];
      line.free = line.ends.data[line.ends.size - 1] = ended;
    }
    if (!lane && (started || ended)) {
      const name = rows.lane[i];
      lane = started ? (lanes[name] ??= this.lane(this.names[name] || "state")) : this.lane("waiting");
      this.laneOf[id] = lane;
      lane.fresh.push(id);
    }
    if (!lane || !ended) return;
    lane.ended.push(ended);
    if (status === FAILED) lane.failed.push(ended);
  }

  /** Give runs that are new in a lane their lines, in the order in which they begin. @param {Lane} lane */
  settle(lane) {
    const { fresh, ended, failed } = lane;
    fresh.sort((a, b) => this.begin(a) - this.begin(b));
    const begins = new Float64Array(fresh.length);
    fresh.forEach((id, i) => this.place(id, (begins[i] = this.begin(id)), lane));
    lane.starts.merge(begins);
    lane.ends.merge(new Float64Array(ended));
    lane.failures.merge(new Float64Array(failed));
    fresh.length = ended.length = failed.length = 0;
  }

  /** Give a run its line: the first that is free when it begins. @param {number} id @param {number} begin @param {Lane} lane */
  place(id, begin, lane) {
    const { lines } = lane;
    let at = 0;
    while (at < lines.length && lines[at].free > begin) at++;
    if (at >= MOST_LINES) return void lane.left++;
    if (at === lines.length) lines.push(new Line());
    const line = lines[at];
    const size = line.ids.size;
    line.busy.push(size ? line.busy.data[size - 1] + line.free - this.begin(line.ids.data[size - 1]) : 0);
    line.ids.push(id);
    line.free = this.ended.data[id] || Infinity;
    line.ends.push(line.free);
    this.line.data[id] = at;
  }

  /** Time taken in a line before a time. @param {Line} line @param {number} time @param {number} [at] the position after it */
  busy(line, time, at = line.ends.below(time)) {
    const { ids, busy, ends } = line;
    if (at < ids.size) return busy.data[at] + Math.max(0, time - this.begin(ids.data[at]));
    return at ? busy.data[at - 1] + ends.data[at - 1] - this.begin(ids.data[at - 1]) : 0;
  }

  /** Runs whose name or number contains a text, the newest first. @param {string} text @param {number} most */
  find(text, most) {
    const wanted = text.toLowerCase();
    const found = [];
    for (let id = this.size - 1; id >= 0 && found.length < most; id--) {
      if (`${this.label(id)} ${this.name(id)}`.toLowerCase().includes(wanted)) found.push(id);
    }
    return found;
  }
}
