/** The critical path: which runs decided when a run ended. */

/**
 * From a run back in time: to the writer it had to wait for longest, else to the run that started
 * it; and into the last of the runs that it started itself.
 * @param {import("./store.js").Store} store @param {number} id
 * @returns {Set<number>} the run and those before it
 */
export function criticalPath(store, id) {
  /** @type {Map<number, number>} */ const writers = new Map();
  /** @type {Map<number, number>} */ const children = new Map();
  const keepLast = (/** @type {Map<number, number>} */ last, /** @type {number} */ run, /** @type {number | undefined} */ other) => {
    if (other === undefined) return;
    const known = last.get(run);
    if (known === undefined || store.end(other, Infinity) > store.end(known, Infinity)) last.set(run, other);
  };
  for (const { reader, writer } of store.reads) keepLast(writers, reader, store.byRun.get(writer));
  for (let other = 0; other < store.size; other++) {
    if (store.parent.data[other]) keepLast(children, store.parent.data[other], other);
  }
  const path = new Set();
  /** @type {[number | undefined, boolean][]} */ const next = [[id, true]];
  for (let step; (step = next.pop()); ) {
    const [at, whole] = step;
    if (at === undefined || path.has(at)) continue;
    path.add(at);
    const run = store.run.data[at];
    const writer = writers.get(run);
    // Of the run that started this one only what came before matters.
    next.push(writer === undefined ? [store.byRun.get(store.parent.data[at]), false] : [writer, true]);
    if (whole) next.push([children.get(run), true]);
  }
  return path;
}
