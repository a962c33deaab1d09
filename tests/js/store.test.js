/** Rows in any order make the same picture. */
import assert from "node:assert/strict";
import test from "node:test";
import { FAILED, FINISHED, MOST_LINES, RUNNING, Store, compareLanes } from "../../theus_nb/timeline/static/store.js";
import { frame } from "./frames.js";

function filled(rows, reads) {
  const store = new Store();
  store.names = ["p", "loop", "worker 1", "worker 2", ""];
  store.apply(frame(rows, reads));
  return store;
}

test("a run waits, runs and ends in one place", () => {
  const store = filled([[1, 10, 0, 0, 1, 4]]);
  assert.equal(store.waiting.size, 1);
  store.apply(frame([[1, 10, 20, 0, RUNNING, 2]]));
  assert.equal(store.waiting.size, 0);
  assert.equal(store.lanes.get("worker 1").lines[0].ids.size, 1);
  store.apply(frame([[1, 10, 20, 50, FINISHED, 2]]));
  assert.equal(store.open.size, 0);
  assert.equal(store.end(0, 99), 50);
  assert.deepEqual(store.counts, [0, 0, 0, 1, 0, 0, 0]);
});

test("an end is final, and what comes twice changes nothing", () => {
  const end = [1, 10, 20, 50, FINISHED, 2];
  const store = filled([end]);
  store.apply(frame([[1, 10, 20, 0, RUNNING, 2]]));
  store.apply(frame([end]));
  assert.equal(store.size, 1);
  assert.equal(store.status.data[0], FINISHED);
  assert.equal(store.lanes.get("worker 1").ends.size, 1);
});

test("what overlaps gets lines of its own, what does not shares one", () => {
  const store = filled([[1, 0, 0.1, 10, 3, 1], [2, 0, 5, 15, 3, 1], [3, 0, 10, 20, 3, 1]]);
  const { lines } = store.lanes.get("loop");
  assert.equal(lines.length, 2);
  assert.equal(lines[0].ids.size, 2);
});

test("lines are bounded; the rest is in the density", () => {
  const store = filled(Array.from({ length: 500 }, (_, i) => [i + 1, 1, 2, 100, 3, 1]));
  const lane = store.lanes.get("loop");
  assert.equal(lane.lines.length, MOST_LINES);
  assert.equal(lane.count(50, 51), 500);
  assert.equal(lane.count(200, 300), 0);
});

test("busy time is exact between any two times", () => {
  const store = filled([[1, 0, 10, 20, 3, 2], [2, 0, 30, 50, 3, 2], [3, 0, 60, 61, FAILED, 2]]);
  const [line] = store.lanes.get("worker 1").lines;
  for (const [time, expected] of [[0, 0], [10, 0], [15, 5], [20, 10], [25, 10], [40, 20], [55, 30], [100, 31]]) {
    assert.equal(store.busy(line, time), expected, `before ${time}`);
  }
});

test("a clock that jumps back makes no run end before it begins", () => {
  const store = filled([[1, 100, 90, 50, 3, 2]]);
  assert.ok(store.end(0, 0) >= store.begin(0));
});

test("runs of nothing and of days are kept", () => {
  const day = 86400e9;
  const store = filled([[1, 5, 5, 5, 3, 2], [2, 6, 6, 3 * day, 3, 3]]);
  assert.equal(store.last, 3 * day);
  assert.equal(store.lanes.get("worker 1").lines[0].ids.size, 1);
});

test("a hundred thousand runs in any order are as many", () => {
  const rows = Array.from({ length: 100_000 }, (_, i) => [i + 1, i, i + 1, i + 2, 3, 1 + (i % 3)]);
  const store = filled(rows.reverse());
  assert.equal(store.size, 100_000);
  assert.equal(store.lanes.get("loop").starts.size, Math.ceil(100_000 / 3));
});

test("of reads the newest are kept", () => {
  const store = new Store();
  for (let from = 0; from < 200_000; from += 10_000) {
    store.apply(frame([], Array.from({ length: 10_000 }, (_, i) => [from + i + 1, from + i])));
    assert.ok(store.reads.length <= 60_000);
  }
  assert.equal(store.reads.at(-1).reader, 200_000);
});

test("lanes: the loop first, workers by number", () => {
  const names = ["worker 10", "state", "worker 2", "waiting", "loop", "cell"];
  assert.deepEqual(names.sort(compareLanes), ["loop", "waiting", "cell", "state", "worker 2", "worker 10"]);
});

test("search finds names and numbers, the newest first", () => {
  const store = filled([[1, 0, 1, 2, 3, 1], [2, 0, 1, 2, 3, 1]]);
  assert.deepEqual(store.find("P", 10), [1, 0]);
  assert.deepEqual(store.find("r1", 10), [0]);
});
