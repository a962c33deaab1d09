/** Frames from the kernel: packed columns, numbered. */

/**
 * @typedef {{run: Float64Array, parent: Float64Array, submitted: Float64Array, started: Float64Array,
 *   ended: Float64Array, reader: Float64Array, writer: Float64Array, process: Uint32Array,
 *   lane: Uint32Array, path: Uint32Array, status: Uint8Array, cpu: Uint8Array}} Rows
 * @typedef {{op: string, frame: number, anew: boolean, now: number, rows: number, reads: number, lost: number,
 *   names: string[], first_name: number, lines: string[], audit: [number, number, number] | null,
 *   lag: number | null, lags: [number, number][],
 *   blocked: [number, number, string][]}} Frame
 */

/**
 * @param {{rows: number, reads: number}} header @param {DataView | ArrayBuffer} buffer
 * @returns {Rows}
 */
export function decode({ rows, reads }, buffer) {
  // Numbers stand at addresses of their size, which a part of a message need not.
  const data = buffer instanceof ArrayBuffer ? buffer : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength).slice().buffer;
  if (data.byteLength !== rows * 50 + reads * 20) {
    throw new RangeError(`${rows} rows and ${reads} reads do not take ${data.byteLength} bytes`);
  }
  let at = 0;
  const float = (/** @type {number} */ n) => new Float64Array(data, (at += 8 * n) - 8 * n, n);
  const whole = (/** @type {number} */ n) => new Uint32Array(data, (at += 4 * n) - 4 * n, n);
  return {
    run: float(rows), parent: float(rows), submitted: float(rows), started: float(rows),
    ended: float(rows), reader: float(reads), writer: float(reads),
    process: whole(rows), lane: whole(rows), path: whole(reads),
    status: new Uint8Array(data, at, rows), cpu: new Uint8Array(data, at + rows),
  };
}

/** Notices frames that are missing or old. */
export class Order {
  constructor() {
    this.next = 0;
  }

  /** @param {number} frame @param {boolean} [begins] everything is told again from here on @returns {"take" | "old" | "gap"} */
  judge(frame, begins) {
    if (begins) this.next = 0;
    if (this.next && frame < this.next) return "old";
    const gap = this.next && frame > this.next;
    this.next = frame + 1;
    return gap ? "gap" : "take";
  }
}
