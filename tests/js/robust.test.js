/** Frames that are lost, late or damaged; times and names as nobody would want them. */
import assert from "node:assert/strict";
import test from "node:test";
import { AXIS, Window, layout } from "../../theus_nb/timeline/static/layout.js";
import { COLOURS, HUES, Painter } from "../../theus_nb/timeline/static/draw.js";
import { State } from "../../theus_nb/timeline/static/main.js";
import { FINISHED, RUNNING, Store, compareLanes } from "../../theus_nb/timeline/static/store.js";
import { dice, frame } from "./frames.js";

globalThis.document ??= { hidden: false };
globalThis.Path2D ??= class {};

/** Columns as they travel. */
function packed(rows) {
  const { run, parent, submitted, started, ended, process, lane, status, cpu } = frame(rows);
  return new Blob([run, parent, submitted, started, ended, process, lane, status, cpu]).arrayBuffer();
}

/** A kernel with runs, and a page that hears of them over a line on which a test may do what it wants. */
class Kernel {
  constructor() {
    this.rows = new Map();
    this.changed = new Set();
    this.number = 0;
    this.told = false;
    this.asked = 0;
    this.model = { get: () => undefined, on: () => {}, send: (message) => this.hear(message) };
    this.state = new State(this.model);
  }

  hear(message) {
    if (message.op !== "sync") return;
    this.asked++;
    this.told = false;
    this.changed = new Set(this.rows.keys());
  }

  put(row) {
    this.rows.set(row[0], row);
    this.changed.add(row[0]);
  }

  async next() {
    const rows = [...this.changed].map((run) => this.rows.get(run));
    this.changed.clear();
    const names = this.told ? [] : ["p", "loop", "worker 1"];
    const message = {
      op: "frame", frame: ++this.number, now: 1, rows: rows.length, reads: 0, lost: 0, names, lags: [], blocked: [],
      first_name: this.told ? 3 : 0, anew: !this.told, lines: [], audit: null, lag: null,
    };
    this.told = true;
    return [message, [await packed(rows)]];
  }
}

test("whatever is lost, doubled or late on the way, the page is right in the end", async () => {
  let gaps = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const roll = dice(seed);
    const kernel = new Kernel();
    const { state } = kernel;
    let late = null;
    for (let step = 1; step <= 60; step++) {
      for (let i = roll(4); i > 0; i--) {
        const run = 1 + roll(50);
        const known = kernel.rows.get(run);
        if (known?.[3]) continue;
        const started = known?.[2] || step;
        kernel.put([run, known?.[1] ?? step, started, known ? step + 1 : 0, known ? FINISHED : RUNNING, 1 + (run % 2)]);
      }
      const sent = await kernel.next();
      const fate = roll(8);
      if (fate === 0) continue;
      if (fate === 1) {
        late = sent;
        continue;
      }
      state.hear(...sent);
      if (fate === 2) state.hear(...sent);
      if (fate === 3 && late) state.hear(...late);
      if (fate === 4) state.hear({ ...sent[0], frame: sent[0].frame + 1, rows: 99 }, sent[1]);
    }
    // The line is good again: at most one more question, and everything is there.
    for (let i = 0; i < 4; i++) state.hear(...(await kernel.next()));
    gaps += kernel.asked;
    assert.equal(state.store.size, kernel.rows.size, `seed ${seed}`);
    for (const [run, , started, ended, status] of kernel.rows.values()) {
      const id = state.store.byRun.get(run);
      assert.deepEqual([state.store.begin(id), state.store.ended.data[id], state.store.status.data[id]], [started, ended, status]);
    }
  }
  assert.ok(gaps > 40, "frames were missed and asked for again");
});

test("where the loop was held up before anything ran stays on the page; reads told again are there once", async () => {
  const kernel = new Kernel();
  const { state } = kernel;
  const [first] = await kernel.next();
  const nothing = { rows: 0, names: [], first_name: 0 };
  const bare = new ArrayBuffer(0);
  state.hear({ ...first, ...nothing, blocked: [[1, 9, "cell 2, line 1"]], lags: [[5, 80]] }, [bare]);
  state.hear({ ...first, ...nothing, frame: 2, anew: false }, [bare]);
  assert.deepEqual([state.blocked, state.lags], [[[1, 9, "cell 2, line 1"]], [[5, 80]]]);
  const read = await new Blob([Float64Array.of(2, 1), Uint32Array.of(0)]).arrayBuffer();
  for (const frame of [3, 4]) state.hear({ ...first, ...nothing, frame, reads: 1, anew: true }, [read]);
  assert.deepEqual(state.store.reads, [{ reader: 2, writer: 1, path: 0 }]);
  assert.deepEqual([state.blocked, state.lags, kernel.asked], [[], [], 0]);
});

/** A painter whose texts and rectangles are kept. */
function painter(store, height = 280) {
  /** @type {{texts: string[], rects: number[][]}} */ const kept = { texts: [], rects: [] };
  const ink = new Proxy({}, {
    get: (_, name) => {
      if (name === "fillText") return (text, x, y) => kept.texts.push(text) && assert.ok(Number.isFinite(x + y));
      if (name === "fillRect") return (...rect) => kept.rects.push(rect) && assert.ok(rect.every(Number.isFinite), String(rect));
      return name === "measureText" ? (text) => ({ width: 6 * text.length }) : () => {};
    },
    set: () => true,
  });
  const window = new Window();
  window.width = 1000;
  const made = new Painter({ getContext: () => ink }, store, window);
  made.height = height;
  const draw = (from, to, scroll = 0) => {
    kept.texts.length = kept.rects.length = 0;
    const sizes = [...store.lanes.values()].map((lane) => ({ name: lane.name, lines: lane.lines.length }));
    made.boxes = layout(sizes.sort((a, b) => compareLanes(a.name, b.name)), height, new Set(), scroll).boxes;
    window.show(from, to);
    made.draw(store.last);
    return kept;
  };
  return { draw, made, window };
}

function filled(names, rows) {
  const store = new Store();
  store.names = names;
  store.apply(frame(rows));
  return store;
}

test("a run of nothing is seen and hit beside one of days", () => {
  const day = 86400e9;
  const store = filled(["p", "loop", "worker 1"], [[1, 5, day, day, FINISHED, 2], [2, 6, 6, 9 * day, FINISHED, 1]]);
  const { draw, made, window } = painter(store);
  for (const [from, to] of [[0, 10 * day], [day - 500, day + 500]]) {
    const { rects } = draw(from, to);
    const box = made.boxes[1];
    const at = window.x(day);
    assert.ok(rects.some(([x, y, wide]) => y === box.top + 1 && x <= at + 2 && x + wide >= at - 2), "it has a mark");
    assert.equal(made.hit(at, box.top + 4), 0);
  }
});

/** How much light there is in a colour: the sRGB luminance of WCAG 2. @param {string} colour */
function light(colour) {
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

test("names on bars can be read: white stands out from every colour as WCAG's level AA wants", () => {
  const colours = [...HUES, ...COLOURS.filter(Boolean)];
  assert.ok(colours.length > 9);
  for (const colour of colours) assert.ok(1.05 / (light(colour) + 0.05) >= 4.5, colour);
});

test("clocks that jump, forth and back, leave a picture", () => {
  const year = 3.15e16;
  const rows = [[1, 100, 200, 300, FINISHED, 1], [2, 400, 50, 20, FINISHED, 1], [3, year, year, year + 9, FINISHED, 2], [4, 500, 0, 450, 5, 0], [5, 600, 10, 0, RUNNING, 2]];
  const store = filled(["p", "loop", "worker 1"], rows);
  const { draw } = painter(store);
  for (const [from, to] of [[store.first, store.last], [0, 1000], [year - 50, year + 50]]) assert.ok(draw(from, to).rects.length > 3);
  for (const lane of store.lanes.values()) {
    for (const line of lane.lines) {
      assert.ok(store.busy(line, store.last) >= 0);
      for (let i = 1; i < line.ids.size; i++) assert.ok(line.ends.data[i - 1] <= store.begin(line.ids.data[i]));
    }
  }
});

test("five hundred workers are drawn as far as they are on the screen", () => {
  const names = ["p", "loop", ...Array.from({ length: 500 }, (_, i) => `worker ${i + 1}`)];
  const rows = Array.from({ length: 5000 }, (_, i) => [i + 1, i * 1e6, i * 1e6 + 1, i * 1e6 + 8e5, FINISHED, 1 + (i % 501)]);
  const { draw, made } = painter(filled(names, rows));
  for (const scroll of [0, 700, 1e9]) {
    const { rects } = draw(0, 5e9, scroll);
    assert.equal(made.boxes.length, 501);
    assert.ok(rects.length < 4000, `${rects.length} rectangles`);
    assert.ok(made.boxes[0].top === AXIS && rects.some(([, y]) => y > 200), "the loop and workers are there");
  }
  assert.equal(made.boxes.at(-1).name, "worker 500");
});

test("names of ten thousand characters are cut, and those that turn the text around are kept apart", () => {
  const names = ["x".repeat(10_000), "\u202eevil", "\u05d0\u05d1\u05d2".repeat(3000), "loop"];
  const store = filled(names, [[1, 0, 1, 9e8, FINISHED, 3], [2, 0, 1, 9e8, FINISHED, 3], [3, 0, 1, 9e8, FINISHED, 3]]);
  store.process.data.set([0, 1, 2]);
  const { texts } = painter(store).draw(0, 1e9);
  assert.ok(texts.every((text) => text.length < 300));
  assert.ok(texts.some((text) => text.startsWith("xxxx")));
  const turned = texts.filter((text) => /[\u202e\u0590-\u05ff]/.test(text) || text.includes("evil"));
  assert.equal(turned.length, 2);
  for (const text of turned) assert.ok(text.startsWith("\u2068") && text.includes("\u2069") && !text.includes("\u202e"));
});

test("a page that has more runs than it can keep begins anew with those that the kernel has", async () => {
  const kernel = new Kernel();
  const { state } = kernel;
  const most = 800;
  state.most = 1_500;
  for (let from = 0; from < 2; from++) {
    for (let i = 1; i <= most; i++) kernel.changed.add(from * most + i);
    kernel.rows = { get: (run) => [run, run, run, run + 1, FINISHED, 1], keys: () => [5e6, 5e6 + 1] };
    assert.equal(kernel.asked, 0);
    state.hear(...(await kernel.next()));
  }
  assert.equal(state.store.size, 2 * most);
  assert.equal(kernel.asked, 1);
  state.hear(...(await kernel.next()));
  assert.deepEqual([...state.store.run.data.subarray(0, state.store.size)], [5e6, 5e6 + 1]);
  state.hear(...(await kernel.next()));
  assert.deepEqual([state.store.size, kernel.asked], [2, 1], "and goes on from there");
});
