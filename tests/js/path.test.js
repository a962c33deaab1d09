/** Which runs decided when one ended. */
import assert from "node:assert/strict";
import test from "node:test";
import { FINISHED, Store } from "../../theus_nb/timeline/static/store.js";
import { criticalPath } from "../../theus_nb/timeline/static/path.js";

/** @param {number[][]} rows run, begin, end, parent @param {number[][]} reads reader, writer */
function filled(rows, reads = []) {
  const store = new Store();
  store.names = ["p", "loop"];
  const column = (list, at) => Float64Array.from(list, (row) => row[at] ?? 0);
  store.apply({
    run: column(rows, 0), parent: column(rows, 3), submitted: column(rows, 1), started: column(rows, 1),
    ended: column(rows, 2), reader: column(reads, 0), writer: column(reads, 1),
    process: new Uint32Array(rows.length), lane: new Uint32Array(rows.length).fill(1),
    path: new Uint32Array(reads.length), status: new Uint8Array(rows.length).fill(FINISHED),
    cpu: new Uint8Array(rows.length),
  });
  return store;
}

/** @param {Store} store @param {number} run */
function path(store, run) {
  return [...criticalPath(store, store.byRun.get(run) ?? -1)].map((id) => store.run.data[id]);
}

test("of several writers the one that ended last decides", () => {
  const store = filled([[1, 10, 20], [2, 10, 40], [3, 5, 8], [4, 41, 50]], [[4, 1], [4, 2], [2, 3]]);
  assert.deepEqual(path(store, 4), [4, 2, 3]);
  assert.deepEqual(path(store, 1), [1]);
});

test("a run that starts others ends with the last of them", () => {
  const store = filled([[1, 10, 99], [2, 20, 30, 1], [3, 20, 90, 1], [4, 1, 5]], [[1, 4]]);
  assert.deepEqual(path(store, 1), [1, 3, 4]);
});

test("of the run that started it only what came before matters", () => {
  const store = filled([[1, 10, 99], [2, 20, 30, 1], [3, 20, 90, 1], [4, 1, 5]], [[1, 4]]);
  assert.deepEqual(path(store, 2), [2, 1, 4]);
});

test("circles and strangers end the search", () => {
  const store = filled([[1, 10, 20, 2], [2, 10, 30, 1]], [[1, 2], [2, 1], [2, 77]]);
  assert.deepEqual(path(store, 1).sort(), [1, 2]);
});

test("fifty thousand runs in a row are followed", () => {
  const rows = Array.from({ length: 50_000 }, (_, i) => [i + 1, i * 10 + 1, i * 10 + 9]);
  const store = filled(rows, rows.slice(1).map(([run]) => [run, run - 1]));
  assert.equal(path(store, 50_000).length, 50_000);
});
