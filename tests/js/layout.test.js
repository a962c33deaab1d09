/** The loop and the workers are on the screen together, whatever there is of them. */
import assert from "node:assert/strict";
import test from "node:test";
import { AXIS, GUTTER, LINE, Window, boxAt, layout } from "../../theus_nb/timeline/static/layout.js";
import { Order, decode } from "../../theus_nb/timeline/static/wire.js";
import { matchesEntry, parseEntry } from "../../theus_nb/timeline/static/audit.js";
import { axisTime, clip, duration, tickStep } from "../../theus_nb/timeline/static/format.js";

const workers = (n) => Array.from({ length: n }, (_, i) => ({ name: `worker ${i + 1}`, lines: 1 }));

test("a loop of many lines leaves room for the workers, opened or not", () => {
  for (const opened of [new Set(), new Set(["loop"])]) {
    const { boxes } = layout([{ name: "loop", lines: 48 }, ...workers(4)], 280, opened, 0);
    assert.ok(boxes[0].height <= (280 - AXIS) * (opened.size ? 0.6 : 0.4));
    if (opened.size) assert.ok(48 * boxes[0].line <= boxes[0].height, "every line is in it");
    for (const box of boxes) assert.ok(box.top + box.height <= 280, `${box.name} is on the screen`);
  }
});

test("five hundred workers are scrolled, the loop stays", () => {
  const lanes = [{ name: "loop", lines: 3 }, ...workers(500)];
  const { boxes, most } = layout(lanes, 280, new Set(), 1e9);
  assert.equal(boxes[0].top, AXIS);
  assert.ok(most > 0);
  const last = boxes[boxes.length - 1];
  assert.ok(last.top + last.height <= 280);
});

test("a point finds its lane and its line", () => {
  const { boxes } = layout([{ name: "loop", lines: 2 }, ...workers(2)], 280, new Set(), 0);
  assert.deepEqual(boxAt(boxes, AXIS + LINE + 1)?.line, 1);
  assert.equal(boxAt(boxes, boxes[2].top + 1)?.box.name, "worker 2");
  assert.equal(boxAt(boxes, 279), null);
});

test("zoom keeps what is under the pointer, and has ends", () => {
  const window = new Window();
  window.show(0, 1e9);
  const at = window.time(GUTTER + 100);
  window.zoom(0.5, GUTTER + 100);
  assert.ok(Math.abs(window.time(GUTTER + 100) - at) < 1);
  for (let i = 0; i < 500; i++) window.zoom(0.5, 300);
  assert.ok(window.to - window.from >= 100);
  for (let i = 0; i < 500; i++) window.zoom(2, 300);
  assert.ok(Number.isFinite(window.to));
});

test("frames: old ones are dropped, gaps are noticed", () => {
  const order = new Order();
  assert.deepEqual([7, 8, 8, 10, 11].map((n) => order.judge(n)), ["take", "take", "old", "gap", "take"]);
  assert.equal(order.judge(1, true), "take", "a kernel that begins anew counts anew");
  assert.deepEqual([2, 1, 4].map((n) => order.judge(n)), ["take", "old", "gap"]);
});

test("a damaged frame is refused", () => {
  assert.throws(() => decode({ rows: 2, reads: 0 }, new ArrayBuffer(5)), RangeError);
});

test("columns come out of a buffer that is not aligned", () => {
  const bytes = new Uint8Array(1 + 50);
  new DataView(bytes.buffer).setFloat64(1, 42, true);
  bytes.set([3, 80], 49);
  const rows = decode({ rows: 1, reads: 0 }, new DataView(bytes.buffer, 1));
  assert.equal(rows.run[0], 42);
  assert.deepEqual([rows.status[0], rows.cpu[0]], [3, 80]);
});

test("lines of the log that are none are left out", () => {
  for (const line of ["", "{", "null", "7", '{"kind":"note"}']) assert.equal(parseEntry(line), null);
  const entry = parseEntry('{"seq":3,"kind":"note","run":"r1","detail":{"text":"Hello"}}');
  assert.ok(entry && matchesEntry(entry, "note", "", "HELLO") && !matchesEntry(entry, "run_failed", "", ""));
  const [one, other] = ["one", "other"].map((process) => ({ ...entry, process }));
  assert.deepEqual([entry, one, other].filter((each) => matchesEntry(each, "", "one", "")), [one]);
});

test("times and names as people read them", () => {
  assert.deepEqual([0, 950, 1500, 2.5e6, 1.2e9, 90e9, 3 * 3600e9, 5 * 86400e9].map((ns) => duration(ns)),
    ["0 ns", "950 ns", "1.5 µs", "2.5 ms", "1.2 s", "90 s", "3 h", "5 d"]);
  assert.equal(clip("x".repeat(10_000), 20).length, 20);
  assert.ok(clip("\u202eevil", 20).startsWith("\u2068"));
  for (const ns of [1, 3, 7e3, 4e8, 31e9, 1e12, 1e15]) assert.ok(tickStep(ns) >= ns);
});

test("neighbours on the axis differ, however late and however near", () => {
  const labels = (from, step) => [0, 1, 2].map((i) => axisTime(from + i * step, step));
  assert.deepEqual(labels(0, 5e8), ["0", "500 ms", "1 s"]);
  assert.deepEqual(labels(1.5e9, 2e7), ["1.5 s", "1.52 s", "1.54 s"]);
  assert.deepEqual(labels(123e9, 5e8), ["2:03.0", "2:03.5", "2:04.0"]);
  assert.deepEqual(labels(119e9, 1e9), ["1:59", "2:00", "2:01"]);
  assert.deepEqual(labels(3.6e12, 60e9), ["1:00:00", "1:01:00", "1:02:00"]);
  assert.equal(axisTime(-2e9, 1e9), "−2 s");
  for (const at of [1, 59e9, 61e9, 3600e9, 86400e9]) {
    for (const step of [100, 1e4, 2e6, 5e8]) assert.equal(new Set(labels(Math.ceil(at / step) * step, step)).size, 3, `${at} by ${step}`);
  }
});

test("with many workers every name has room, and the rest is scrolled", () => {
  const lanes = [{ name: "loop", lines: 1 }, ...workers(20)];
  const { boxes, most } = layout(lanes, 280, new Set(), 0);
  for (const box of boxes) assert.ok(box.height >= 12);
  assert.ok(most > 0);
});
