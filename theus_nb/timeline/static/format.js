/** Numbers and names as people read them. */

/** @type {[number, string][]} */
const UNITS = [[86400e9, "d"], [3600e9, "h"], [60e9, "min"], [1e9, "s"], [1e6, "ms"], [1e3, "µs"]];

/** @param {number} ns @param {number} [digits] */
export function duration(ns, digits = 3) {
  const [unit, name] = UNITS.find(([least]) => Math.abs(ns) >= least * (least >= 60e9 ? 2 : 1)) ?? [1, "ns"];
  return `${Number((ns / unit).toPrecision(digits))} ${name}`;
}

/**
 * Cut to a length, of which a fraction does not count. Characters that would turn the direction of the text around it are isolated.
 * @param {string} text @param {number} most
 */
export function clip(text, most) {
  const chars = text.length > most ? text.slice(0, Math.max(1, most - 1)) + "…" : text;
  return /[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069]/.test(chars)
    ? `\u2068${chars.replace(/[\u202a-\u202e\u2066-\u2069]/g, "")}\u2069`
    : chars;
}

/** @param {string} lane */
export function laneTitle(lane) {
  if (lane === "loop") return "Event loop";
  return lane === "cell" ? "Cell thread" : lane[0].toUpperCase() + lane.slice(1);
}

/** A time on an axis, with as many digits as neighbours need to differ. @param {number} ns @param {number} step between neighbours @returns {string} */
export function axisTime(ns, step) {
  if (ns < 0) return `−${axisTime(-ns, step)}`;
  if (ns < 60e9) return ns ? duration(ns, Math.ceil(Math.log10(ns / step)) + 1) : "0";
  const places = Math.max(0, Math.ceil(9 - Math.log10(step)));
  const seconds = ((ns % 60e9) / 1e9).toFixed(places).padStart(places + (places ? 3 : 2), "0");
  const minutes = Math.floor(ns / 60e9);
  return minutes < 60 ? `${minutes}:${seconds}` : `${Math.floor(minutes / 60)}:${`${minutes % 60}`.padStart(2, "0")}:${seconds}`;
}

/** Two numbers, the smaller first. @param {[number, number]} pair */
export const ordered = ([a, b]) => [Math.min(a, b), Math.max(a, b)];

/** @param {number} part of one */
export const percent = (part) => `${Math.round(100 * Math.min(1, part))} %`;

/** Distances of round numbers: the smallest of 1, 2, 5 × 10ⁿ ns (or of minutes, hours, days). @param {number} ns */
export function tickStep(ns) {
  for (const unit of [60e9, 300e9, 900e9, 3600e9, 4 * 3600e9, 86400e9]) {
    if (ns > 30e9 && ns <= unit) return unit;
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(ns, 1)));
  return [1, 2, 5].map((k) => k * power).find((step) => step >= ns) ?? power * 10;
}
