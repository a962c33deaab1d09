/** Other ways to the same runs: from one to the next by keys, as a table, as a file. */
import { clip, duration } from "./format.js";
import { element } from "./details.js";
import { laneWords, statusWords } from "./draw.js";

/** @typedef {import("./store.js").Store} Store */

/**
 * The next run in a direction, or -1.
 * @param {Store} store @param {{name: string}[]} boxes lanes as they are drawn
 * @param {number} selected @param {number} step @param {boolean} [across] to another lane
 */
export function neighbour(store, boxes, selected, step, across) {
  const lanes = boxes.map((box) => store.lanes.get(box.name)).filter((lane) => lane?.lines.length);
  const current = store.laneOf[selected];
  const at = current ? lanes.indexOf(current) + (across ? step : 0) : 0;
  const lane = lanes[Math.max(0, at)] ?? current;
  const ids = lane?.lines.flatMap((line) => [...line.ids.data.subarray(0, line.ids.size)]) ?? [];
  ids.sort((a, b) => store.begin(a) - store.begin(b) || a - b);
  if (!current) return ids.at(-1) ?? -1;
  const next = across
    ? ids.findIndex((id) => store.begin(id) >= store.begin(selected)) : Math.max(0, ids.indexOf(selected) + step);
  return ids.at(Math.min(ids.length - 1, next)) ?? -1;
}

/** What tells a run from others, and how it went. @param {Store} store @param {number} id @param {number} now */
export function runWords(store, id, now) {
  const took = duration(store.end(id, now) - store.begin(id));
  return [store.label(id), clip(store.name(id), 120), laneWords(store, id), statusWords(store, id), took];
}

/** The newest runs for those who do not see the canvas. @param {Store} store @param {number} now */
export function runsTable(store, now) {
  const rows = [];
  for (let id = store.size - 1; id >= Math.max(0, store.size - 200); id--) {
    const row = element("tr");
    row.append(...runWords(store, id, now).map((word) => element("td", word)));
    rows.push(row);
  }
  return rows;
}

/** Hand the user a file. @param {string} ending @param {string} address of what is in it */
export function download(ending, address) {
  const link = document.createElement("a");
  link.download = `timeline.${ending}`;
  link.href = address;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
