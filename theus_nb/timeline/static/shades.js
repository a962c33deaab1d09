/** What is drawn of runs that are narrower than a pixel. Pure: runs in, pixels out. */
import { GUTTER } from "./layout.js";

/** Shades there are: few, so that neighbours are often one rectangle. */
const SHADES = 12;

/**
 * Go through the runs of a line that are in view, from left to right. What begins within the same two
 * pixels is one shade, as dark as the time it takes; neighbours of one shade come together.
 * @param {import("./store.js").Store} store @param {import("./store.js").Line} line
 * @param {import("./layout.js").Window} window @param {number} now
 * @param {(id: number, x: number, width: number) => void} bar takes a run that can be seen by itself
 * @param {(from: number, to: number, share: number) => void} shade takes pixels, and what part of them is taken
 */
export function walk(store, line, window, now, bar, shade) {
  const { scale } = window;
  let from = GUTTER;
  let to = GUTTER;
  let level = 0;
  const flush = () => {
    if (to > from) shade(from, to, level / SHADES);
    from = to;
  };
  for (let i = line.ends.below(window.from); i < line.ids.size; ) {
    const id = line.ids.data[i];
    const begin = store.begin(id);
    if (begin > window.to) break;
    const x = window.x(begin);
    const width = (store.end(id, now) - begin) / scale;
    if (width >= 1.5) {
      flush();
      bar(id, x, width);
      i++;
      continue;
    }
    const left = Math.max(Math.floor(x), to);
    const until = window.time(left + 2);
    let next = line.ends.below(until, i);
    const busy = store.busy(line, until, next) - store.busy(line, window.time(left), i);
    if (next === i && x + width <= left + 2) next++;
    const found = Math.round(SHADES * Math.min(1, busy / (2 * scale)));
    if (left !== to || found !== level) {
      flush();
      from = left;
      level = found;
    }
    to = left + 2;
    i = next;
  }
  flush();
}

/**
 * How many runs there are in every two pixels; events begin and end at once.
 * @param {import("./store.js").Times} starts sorted @param {import("./store.js").Times} ends likewise
 * @param {import("./layout.js").Window} window
 */
export function countRuns(starts, ends, window, from = window.left, to = window.width) {
  const counts = [];
  let begun = 0;
  let over = 0;
  for (let x = from; x < to; x += 2) {
    over = ends.below(window.time(x), over);
    begun = starts.below(window.time(x + 2), begun);
    counts.push(begun - over);
  }
  return counts;
}
