/** Where lanes are on the canvas. Pure: sizes in, boxes out. */

export const AXIS = 22;
export const GUTTER = 124;
export const LINE = 18;

/** Pixels in which a name can be read; what has no room is scrolled. */
const LEAST = 12;

/** Lines of a lane that is not opened; with more it is a density band. */
export const CLOSED_LINES = 8;

/**
 * @typedef {{name: string, lines: number}} Size
 * @typedef {{name: string, top: number, height: number, line: number, dense: boolean,
 *   pinned: boolean, foldable: boolean}} Box
 */

/**
 * The loop's lane stays at the top, whatever is scrolled, and takes 40 % at most, or 60 % where the
 * user has opened it: lanes of workers are always on the screen with it.
 * @param {Size[]} lanes in their order, the loop's first
 * @param {number} height of the canvas
 * @param {Set<string>} opened lanes of which every line is wanted
 * @param {number} scroll pixels by which the lanes below the loop's are moved up
 * @returns {{boxes: Box[], most: number}} boxes, and how far can be scrolled
 */
export function layout(lanes, height, opened, scroll) {
  const [loop, ...others] = lanes;
  /** @type {Box[]} */ const boxes = [];
  if (!loop) return { boxes, most: 0 };
  const cap = Math.max(2 * LINE, Math.floor((height - AXIS) * (opened.has(loop.name) ? 0.6 : 0.4)));
  boxes.push({ ...box(loop, opened, cap), top: AXIS, pinned: true });
  const top = AXIS + boxes[0].height + 10;
  const room = height - top - 4;
  const lines = others.reduce((sum, lane) => sum + Math.max(1, lane.lines), 0);
  const line = Math.max(LEAST, Math.min(LINE, Math.floor((room - 4 * others.length) / Math.max(1, lines))));
  let at = top;
  for (const lane of others) {
    const next = box(lane, opened, Infinity, line);
    boxes.push({ ...next, top: at, pinned: false });
    at += next.height + 4;
  }
  const most = Math.max(0, at - top - room);
  const moved = Math.min(Math.max(scroll, 0), most);
  for (const one of boxes) if (!one.pinned) one.top -= moved;
  return { boxes, most };
}

/** @param {Size} lane @param {Set<string>} opened @param {number} cap @param {number} [line] */
function box(lane, opened, cap, line = LINE) {
  const lines = Math.max(1, lane.lines);
  const foldable = lines > CLOSED_LINES;
  const dense = foldable && !opened.has(lane.name);
  const wanted = dense ? 3 * LINE : lines * line;
  const height = Math.min(wanted, cap);
  const each = dense ? height : Math.min(line, height / lines);
  return { name: lane.name, height, line: each, dense, foldable };
}

/** The box and the line at a height. @param {Box[]} boxes @param {number} y @returns {{box: Box, line: number} | null} */
export function boxAt(boxes, y) {
  const box = boxes.find(({ top, height }) => y >= top && y < top + height);
  return box ? { box, line: box.dense ? -1 : Math.floor((y - box.top) / box.line) } : null;
}

/** What part of time is seen. */
export class Window {
  constructor() {
    this.from = 0;
    this.to = 1e9;
    this.left = GUTTER;
    this.width = 800;
  }

  get scale() {
    return (this.to - this.from) / Math.max(1, this.width - this.left);
  }

  /** @param {number} time */
  x(time) {
    return this.left + (time - this.from) / this.scale;
  }

  /** @param {number} x */
  time(x) {
    return this.from + (x - this.left) * this.scale;
  }

  /** @param {number} factor @param {number} x stays where it is */
  zoom(factor, x) {
    const at = this.time(Math.max(x, this.left));
    const span = (this.to - this.from) * factor;
    if (span < 100 || span > 4e16) return;
    this.from = at - (at - this.from) * factor;
    this.to = this.from + span;
  }

  /** @param {number} pixels */
  pan(pixels) {
    const by = pixels * this.scale;
    this.from += by;
    this.to += by;
  }

  /** @param {number} time comes to the middle */
  center(time) {
    this.pan((time - (this.from + this.to) / 2) / this.scale);
  }

  /** @param {number} from @param {number} to */
  show(from, to) {
    const span = Math.max(to - from, 1000);
    this.from = from - span * 0.01;
    this.to = from + span * 1.03;
  }
}
