/** Frames and numbers for tests. */

/** @param {number[][]} rows run, submitted, started, ended, status, lane, percent computed (60) @param {number[][]} [reads] */
export function frame(rows, reads = []) {
  const column = (at) => Float64Array.from(rows, (row) => row[at]);
  return {
    run: column(0), parent: new Float64Array(rows.length), submitted: column(1), started: column(2), ended: column(3),
    reader: Float64Array.from(reads, (r) => r[0]), writer: Float64Array.from(reads, (r) => r[1]),
    process: new Uint32Array(rows.length), lane: Uint32Array.from(rows, (row) => row[5]),
    path: new Uint32Array(reads.length), status: Uint8Array.from(rows, (row) => row[4]),
    cpu: Uint8Array.from(rows, (row) => row[6] ?? 60),
  };
}

/** Numbers that are the same in every run of the tests. @param {number} seed */
export function dice(seed) {
  let state = seed * 2654435761 + 1;
  return (/** @type {number} */ sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}
