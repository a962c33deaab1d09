/** The columns and searches of the store and the painter against what anybody would write down. */
import assert from "node:assert/strict";
import test from "node:test";
import { FINISHED, MOST_LINES, Store } from "../../theus_nb/timeline/static/store.js";
import { Painter } from "../../theus_nb/timeline/static/draw.js";
import { GUTTER, Window, layout } from "../../theus_nb/timeline/static/layout.js";
import { dice, frame } from "./frames.js";

globalThis.Path2D ??= class {};

const NAMES = ["p", "loop", "worker 1", "worker 2", ""];

/** Runs as objects, lines as arrays, every question answered by looking at all of them. */
class Model {
  constructor() {
    this.runs = new Map();
    this.lanes = new Map();
  }

  apply(rows) {
    const fresh = [];
    for (const [number, submitted, started, ended, status, lane] of rows) {
      const run = this.runs.get(number) ?? { id: this.runs.size, number, submitted, started: 0, ended: 0, line: -1 };
      this.runs.set(number, run);
      if (run.ended) continue;
      run.started ||= started;
      run.begin = run.started || run.submitted;
      run.ended = ended && Math.max(ended, run.begin);
      Object.assign(run, { status, named: lane });
      if (run.lane === undefined && (run.started || run.ended) && !fresh.includes(run)) fresh.push(run);
    }
    fresh.sort((a, b) => a.begin - b.begin);
    for (const run of fresh) {
      run.lane = run.started ? NAMES[run.named] || "state" : "waiting";
      if (!this.lanes.has(run.lane)) this.lanes.set(run.lane, []);
      const lines = this.lanes.get(run.lane);
      let line = lines.findIndex((one) => one.at(-1).ended && one.at(-1).ended <= run.begin);
      if (line < 0 && lines.length < MOST_LINES) line = lines.push([]) - 1;
      if (line >= 0) lines[line].push(run);
      run.line = line;
    }
  }

  in(lane) {
    return [...this.runs.values()].filter((run) => run.lane === lane);
  }

  count(lane, a, b) {
    const begun = this.in(lane).filter((run) => run.begin < b).length;
    return begun - this.in(lane).filter((run) => run.ended && run.ended < a).length;
  }
}

/** Rows as a kernel might send them: some twice, some late, some of runs that are still going. */
function batch(roll, model, size, crowd) {
  const rows = [];
  for (let i = 0; i < size; i++) {
    const known = [...model.runs.values()];
    const again = known.length > 0 && roll(3) === 0 ? known[roll(known.length)] : null;
    const number = again ? again.number : 1 + roll(4000);
    const submitted = again ? again.submitted : 1 + roll(1000);
    const stage = roll(8);
    const started = again?.started || (stage > 0 ? submitted + roll(20) : 0);
    const ended = stage > 2 ? (started || submitted) + (roll(4) ? roll(crowd) : -roll(30)) : 0;
    rows.push([number, submitted, started, Math.max(0, ended), ended > 0 ? 3 + roll(4) : started ? 2 : roll(2), 1 + (number % 4)]);
  }
  return roll(2) ? rows : rows.sort((a, b) => a[2] - b[2]);
}

/** @param {number} seed */
function both(seed) {
  const roll = dice(seed);
  const model = new Model();
  const store = new Store();
  store.names = NAMES;
  const crowd = [3, 30, 600][roll(3)];
  for (let i = roll(5); i >= 0; i--) {
    const rows = batch(roll, model, roll(120), crowd);
    model.apply(rows);
    store.apply(frame(rows));
  }
  return { roll, model, store };
}

test("runs have the lines that the simple way gives them, whatever comes in which order", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const { model, store } = both(seed);
    assert.equal(store.size, model.runs.size);
    for (const run of model.runs.values()) {
      assert.equal(store.byRun.get(run.number), run.id, `seed ${seed}`);
      assert.equal(store.laneOf[run.id]?.name, run.lane, `seed ${seed}, r${run.number}`);
      assert.equal(store.begin(run.id), run.begin);
      assert.equal(store.ended.data[run.id], run.ended);
      assert.equal(store.status.data[run.id], run.status);
    }
    assert.equal(store.byRun.get(5000), undefined);
    for (const [name, lines] of model.lanes) {
      const ids = store.lanes.get(name).lines.map((line) => [...line.ids.data.subarray(0, line.ids.size)]);
      assert.deepEqual(ids, lines.map((line) => line.map((run) => run.id)), `seed ${seed}, ${name}`);
    }
    const open = [...model.runs.values()].filter((run) => !run.ended).map((run) => run.id);
    assert.deepEqual([...store.open].sort((a, b) => a - b), open);
    assert.deepEqual(store.counts, store.counts.map((_, i) => [...model.runs.values()].filter((run) => run.status === i).length));
  }
});

test("counts, positions and busy times are what counting one by one gives", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const { roll, model, store } = both(seed);
    for (const [name, lines] of model.lanes) {
      const lane = store.lanes.get(name);
      for (let i = 0; i < 20; i++) {
        const a = roll(1200);
        const b = a + roll(40);
        assert.equal(lane.count(a, b), model.count(name, a, b), `seed ${seed}, ${name}, ${a} to ${b}`);
        const at = roll(lines.length);
        const first = lines[at].findIndex((run) => !run.ended || run.ended >= a);
        const expected = first < 0 ? lines[at].length : first;
        assert.equal(lane.lines[at].ends.below(a), expected);
        assert.equal(lane.lines[at].ends.below(a, roll(expected + 1)), expected, "from any place before it");
        const part = (run) => Math.max(0, Math.min(run.ended || Infinity, a) - run.begin);
        const busy = lines[at].reduce((sum, run) => sum + part(run), 0);
        assert.equal(store.busy(lane.lines[at], a), busy, `seed ${seed}, ${name}, busy before ${a}`);
      }
    }
  }
});

/** A painter on a canvas that only remembers its rectangles. */
function painter(store, opened) {
  /** @type {number[][]} */ const rects = [];
  const ink = new Proxy({ measureText: () => ({ width: 40 }) }, {
    get: (target, name) => (name === "fillRect" ? (...rect) => rects.push(rect) : target[name] ?? (() => {})),
    set: () => true,
  });
  const window = new Window();
  window.width = 600;
  const made = new Painter({ getContext: () => ink }, store, window);
  const sizes = ["loop", "state", "worker 1", "worker 2", "waiting"].filter((name) => store.lanes.has(name))
    .map((name) => ({ name, lines: store.lanes.get(name).lines.length }));
  made.height = 400;
  made.boxes = layout(sizes, 400, opened, 0).boxes;
  return { made, rects, window };
}

test("every run in view is painted where it is, at any zoom, and nothing where there is none", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const { roll, model, store } = both(seed);
    const { made, rects, window } = painter(store, new Set());
    const from = roll(1000);
    window.show(from, from + [3, 40, 400, 3000, 1e5][roll(5)]);
    const now = store.last + roll(50);
    for (const box of made.boxes) {
      if (box.dense || box.name === "waiting") continue;
      const lane = store.lanes.get(box.name);
      lane.lines.forEach((line, at) => {
        rects.length = 0;
        made.line(lane, line, box, at, now);
        const runs = (model.lanes.get(box.name) ?? [])[at] ?? [];
        const seen = runs.map((run) => [window.x(run.begin), window.x(run.ended || Math.max(now, run.begin))])
          .filter(([x, right]) => right > GUTTER && x < window.width);
        for (const [x, right] of seen) {
          const [a, b] = [Math.max(x, GUTTER), Math.min(right, window.width)];
          assert.ok(rects.some(([left, , wide]) => left < b + 2 && left + wide > a - 2), `seed ${seed}: ${a} to ${b} is bare`);
        }
        for (const [left, , wide] of rects) {
          assert.ok(left >= GUTTER && wide > 0);
          for (let px = left; px < left + wide; px += 2) {
            assert.ok(seen.some(([x, right]) => px < right + 2 && px + 2 > x - 2), `seed ${seed}: nothing is at ${px}`);
          }
        }
      });
    }
  }
});

test("at the foot of a bar stands how much of it was computing", () => {
  const store = new Store();
  store.names = ["p", "worker 1"];
  store.apply(frame([[1, 0, 100, 900, FINISHED, 1, 25], [2, 0, 1000, 1900, FINISHED, 1, 100], [3, 0, 2000, 2900, FINISHED, 1, 0]]));
  const { made, rects, window } = painter(store, new Set());
  window.show(0, 3000);
  const box = made.boxes.find((one) => one.name === "worker 1");
  const lane = store.lanes.get("worker 1");
  made.line(lane, lane.lines[0], box, 0, 3000);
  const bars = rects.filter(([, , , high]) => high > 2);
  const lines = rects.filter(([, , , high]) => high === 2);
  assert.equal(bars.length, 3);
  assert.deepEqual(lines.map(([left]) => left), bars.map(([left]) => left));
  const shares = lines.map(([, top, wide], i) => [wide / bars[i][2], top + 2 - bars[i][1] - bars[i][3]]);
  assert.deepEqual(shares, [[0.25, -1], [1, -1], [0, -1]]);
});

test("what is under the pointer is what looking at every run finds", () => {
  let hits = 0;
  for (let seed = 1; seed <= 150; seed++) {
    const { roll, model, store } = both(seed);
    const { made, window } = painter(store, new Set(["loop", "state", "worker 1", "worker 2"]));
    window.show(roll(1000), 1010 + roll(200));
    for (let i = 0; i < 60; i++) {
      const [x, y] = [GUTTER + roll(470), roll(400)];
      const box = made.boxes.find((one) => y >= one.top && y < one.top + one.height);
      const id = made.hit(x, y);
      if (!box || box.name === "waiting" || box.dense) continue;
      const runs = (model.lanes.get(box.name) ?? [])[Math.floor((y - box.top) / box.line)] ?? [];
      const [low, high] = [window.time(x - 2), window.time(x + 2)];
      const near = runs.find((run) => (!run.ended || run.ended >= low));
      assert.equal(id, near && near.begin <= high ? near.id : -1, `seed ${seed} at ${x}, ${y}`);
      hits += Number(id >= 0);
    }
  }
  assert.ok(hits > 500, "the pointer met runs at all");
});
