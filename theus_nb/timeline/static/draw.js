/** Paints lanes, bars, density, arrows and blocked stretches on a canvas. */
import { AXIS, GUTTER, boxAt } from "./layout.js";
import { FAILED, RUNNING, STATUS } from "./store.js";
import { countRuns, walk } from "./shades.js";
import { axisTime, clip, duration, laneTitle, ordered, percent, tickStep } from "./format.js";

/** @typedef {import("./layout.js").Box} Box */
/** @typedef {[number, number, string]} Blocked from, to, by what */

const MARKS = ["", "", "▶ ", "", "✕ ", "⊘ ", "⚠ "];

/** Of finished runs, by process: all dark enough for white text. The colours of endings are others. */
export const HUES = ["#2a659f", "#0b7a75", "#6750a4", "#8b3a62", "#7a5195", "#1d6f8a"];
const ALARM = "#c81e1e";
export const COLOURS = ["", "", "#3878b8", "", "#c2410c", "#6b7280", "#8a6d00"];

/** @param {string} name */
function hue(name) {
  let hash = 7;
  for (let i = 0; i < Math.min(name.length, 64); i++) hash = (hash * 31 + name.charCodeAt(i)) | 0;
  return HUES[Math.abs(hash) % HUES.length];
}

export class Painter {
  /**
   * @param {HTMLCanvasElement} canvas @param {import("./store.js").Store} store
   * @param {import("./layout.js").Window} window
   */
  constructor(canvas, store, window) {
    this.canvas = canvas;
    this.store = store;
    this.window = window;
    this.ink = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    /** @type {{text: string, faint: string, back: string, grid: string, loop: string, alarm: string, font: string}} */
    this.theme = Object.create(null);
    this.height = 280;
    /** @type {Box[]} */ this.boxes = [];
    /** @type {Blocked[]} */ this.blocked = [];
    /** When the loop was late, and by how many ms. @type {[number, number][]} */ this.lags = [];
    /** @type {number | null} */ this.lag = null;
    this.selected = this.pointed = -1;
    /** Runs that are shown before the others; empty: all alike. @type {Set<number>} */ this.path = new Set();
    /** @type {[number, number] | null} */ this.range = null;
    this.frames = this.cost = 0;
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    const ratio = globalThis.devicePixelRatio || 1;
    this.window.width = width;
    this.height = height;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.ink.scale(ratio, ratio);
  }

  /** @param {number} now */
  draw(now) {
    const began = performance.now();
    const { ink, theme, window, height } = this;
    ink.textBaseline = "middle";
    this.fill(theme.back, 0, 0, window.width, height);
    this.axis();
    // From the bottom up: what is pinned covers what is scrolled under it.
    for (const box of [...this.boxes].reverse()) this.lane(box, now);
    this.arrows(now);
    const [from, to] = ordered(this.range ?? [0, 0]);
    if (to > from) this.stretch("rgba(60,127,192,.18)", from, to, AXIS, height);
    this.frames++;
    this.cost = performance.now() - began;
  }

  /** @param {string} colour @param {number} x @param {number} y @param {number} width @param {number} height */
  fill(colour, x, y, width, height) {
    this.ink.fillStyle = colour;
    this.ink.fillRect(x, y, width, height);
  }

  /** @param {string} words @param {number} x @param {number} y @param {string} colour @param {string} [size] */
  write(words, x, y, colour, size = "11px") {
    this.ink.font = `${size} ${this.theme.font}`;
    this.ink.fillStyle = colour;
    this.ink.fillText(words, x, y);
  }

  /**
   * Fill what is seen of a stretch of time; tells from where on, and how wide it is (0: not in view).
   * @param {string} colour @param {number} from @param {number} to @param {number} y @param {number} height
   */
  stretch(colour, from, to, y, height) {
    const { window } = this;
    const x = Math.max(window.x(from), GUTTER);
    const right = Math.min(window.x(to), window.width);
    if (right < GUTTER || x > window.width) return [x, 0];
    const wide = Math.max(2, right - x);
    this.fill(colour, x, y, wide, height);
    return [x, wide];
  }

  /** Draw inside of a rectangle only, until `restore`. @param {number} x @param {number} y @param {number} width @param {number} height */
  within(x, y, width, height) {
    this.ink.save();
    this.ink.beginPath();
    this.ink.rect(x, y, width, height);
    this.ink.clip();
  }

  axis() {
    const { theme, window, height } = this;
    const step = tickStep(window.scale * 110);
    if (this.lag !== null) this.write(`loop lag ${duration(Math.max(this.lag * 1e9, 1e5), 2)}`, 8, 10, theme.faint);
    for (const [time, late] of this.lags) {
      const high = Math.min(6, 1 + Math.log10(late) * 2);
      this.stretch(late < 100 ? COLOURS[6] : ALARM, time - 50e6, time, AXIS - high, high);
    }
    for (let t = Math.ceil(window.from / step) * step; t < window.to; t += step) {
      const x = Math.round(window.x(t));
      if (x < GUTTER) continue;
      this.fill(theme.grid, x, AXIS - 4, 1, height);
      if (x < window.width - 40) this.write(axisTime(t, step), x + 4, 10, theme.faint);
    }
  }

  /** @param {Box} box @param {number} now */
  lane(box, now) {
    if (box.top > this.height || box.top + box.height < AXIS) return;
    const { ink, theme, window, store } = this;
    const lane = store.lanes.get(box.name);
    const top = box.pinned ? box.top : Math.max(box.top, this.boxes[0].top + this.boxes[0].height + 6);
    this.within(0, top, window.width, box.top + box.height - top);
    if (box.pinned) this.fill(theme.loop, GUTTER, box.top, window.width, box.height);
    if (box.name === "waiting") this.waiting(box, now);
    if (lane && box.dense) this.density(lane, box);
    else lane?.lines.forEach((line, i) => this.line(lane, line, box, i, now));
    if (box.pinned) this.bands(box);
    this.label(box, lane);
    ink.restore();
    this.fill(theme.grid, 0, box.top + box.height + 1, window.width, box.pinned ? 2 : 1);
  }

  /** @param {Box} box @param {import("./store.js").Lane | undefined} lane */
  label(box, lane) {
    const { ink, theme, window, store } = this;
    this.fill(theme.back, 0, box.top, GUTTER - 4, box.height);
    const fold = box.foldable ? (box.dense ? "▸ " : "▾ ") : "";
    const y = box.top + Math.min(box.height, 18) / 2 + 0.5;
    this.write(clip(fold + laneTitle(box.name), 17), 8, y, theme.text, box.pinned ? "600 12px" : "12px");
    if (!lane?.lines.length || box.name === "waiting") return;
    if (lane.lines.length < 3 && !box.pinned) {
      const busy = store.busy(lane.lines[0], window.to) - store.busy(lane.lines[0], window.from);
      ink.textAlign = "right";
      this.write(percent(busy / (window.to - window.from)), GUTTER - 10, y, theme.faint);
      ink.textAlign = "left";
    } else if (box.height >= 30) {
      const words = box.dense || !lane.left ? `${lane.starts.size} runs` : `+${lane.left} not drawn`;
      this.write(words, 8, y + 16, theme.faint);
    }
  }

  /** Runs in one line: bars, and shades where they are narrower than a pixel. */
  line(/** @type {import("./store.js").Lane} */ lane, /** @type {import("./store.js").Line} */ line, /** @type {Box} */ box, /** @type {number} */ at, /** @type {number} */ now) {
    const { window, store, ink } = this;
    const y = box.top + at * box.line + 1;
    const high = Math.max(2, box.line - (box.line > 8 ? 2 : 1));
    walk(store, line, window, now, (id, x, width) => this.bar(id, x, y, width, high, now), (from, to, share) => {
      ink.globalAlpha = 0.35 + 0.65 * share;
      this.fill(HUES[0], from, y, to - from, high);
      ink.globalAlpha = 1;
      this.failures(lane, y, high, from, to + 2);
    });
  }

  /** Mark where runs of a lane failed that cannot be seen by themselves. */
  failures(/** @type {import("./store.js").Lane} */ { failures }, /** @type {number} */ y, /** @type {number} */ high, from = GUTTER, to = this.window.width) {
    countRuns(failures, failures, this.window, from, to).forEach((count, i) => count && this.fill(COLOURS[FAILED], from + 2 * i, y, 2, high));
  }

  /** @param {number} id @param {number} x @param {number} y @param {number} width @param {number} high @param {number} now */
  bar(id, x, y, width, high, now) {
    const { ink, store, theme, window } = this;
    const left = Math.max(x, GUTTER);
    const right = Math.min(x + width, window.width + 2);
    if (right <= left) return;
    const status = store.status.data[id];
    const name = store.name(id);
    const colour = COLOURS[status] || hue(name);
    const wide = Math.max(1, right - left - (right - left > 3 ? 1 : 0));
    if (this.path.size && !this.path.has(id)) ink.globalAlpha = 0.3;
    this.fill(colour, left, y, wide, high);
    if (status >= FAILED && wide > 4) {
      // Stripes, so that an end shows without its colour.
      ink.strokeStyle = "#fff4";
      ink.lineWidth = high;
      ink.setLineDash(status === FAILED ? [3, 6] : [7, 7]);
      ink.stroke(new Path2D(`M${left} ${y + high / 2}h${wide}`));
      ink.setLineDash([]);
    }
    if (status === RUNNING && !store.ended.data[id]) this.fill(theme.text, right - 2, y, 2, high);
    if (high >= 10 && wide > 26) {
      // A light line at its foot, as long as its thread computed: the rest of the bar it waited.
      this.fill("#fffb", left, y + high - 3, wide * store.cpu.data[id] / 100, 2);
      this.within(left, y, wide - 3, high);
      const time = wide > 150 ? `  ${duration(store.end(id, now) - store.begin(id))}` : "";
      this.write(clip(MARKS[status] + name, (wide - 6) / 5) + time, left + 4, y + high / 2 + 0.5, "#fff", high < 13 ? "10px" : "11px");
      ink.restore();
    }
    ink.globalAlpha = 1;
    if (id === this.selected || id === this.pointed) {
      ink.strokeStyle = theme.text;
      ink.lineWidth = id === this.selected ? 2 : 1;
      ink.strokeRect(left + 0.5, y + 0.5, Math.max(2, wide - 1), high - 1);
    }
  }

  /** Many runs at the same time: how many, pixel by pixel. */
  density(/** @type {import("./store.js").Lane} */ lane, /** @type {Box} */ box) {
    const { window, theme } = this;
    const counts = countRuns(lane.starts, lane.ends, window);
    const most = Math.max(1, ...counts);
    counts.forEach((count, i) => {
      const high = Math.ceil((count / most) * (box.height - 4));
      this.fill(HUES[0], GUTTER + 2 * i, box.top + box.height - high, 2, high);
    });
    this.failures(lane, box.top, box.height);
    this.plate(`up to ${most} at once`, GUTTER + 2, box.top + 1, theme.faint);
  }

  /** Runs that have not begun: thin, from their submission to now. */
  waiting(/** @type {Box} */ box, /** @type {number} */ now) {
    const { store, window, theme } = this;
    const lines = Math.max(1, Math.floor(box.height / 6));
    let at = 0;
    for (const id of store.waiting) {
      if (at >= lines) break;
      const [, wide] = this.stretch(id === this.selected ? theme.text : theme.faint, store.submitted.data[id], now, box.top + 2 + at * 6, 3);
      if (wide) at++;
    }
    if (!store.waiting.size) return;
    const queued = [...store.waiting].filter((id) => store.status.data[id]).length;
    const words = `waiting: ${store.waiting.size - queued} for other runs, ${queued} for a thread`;
    this.plate(words, window.x(now) - 6 * words.length - 8, box.top + 2, theme.text);
  }

  /** Words on a ground of their own, kept on the screen. @param {string} words @param {number} x @param {number} y @param {string} colour */
  plate(words, x, y, colour) {
    const { ink, theme, window } = this;
    ink.font = `11px ${theme.font}`;
    const wide = ink.measureText(words).width + 8;
    const left = Math.max(GUTTER + 2, Math.min(x, window.width - wide - 4));
    this.fill(theme.back, left, y, wide, 15);
    this.write(words, left + 4, y + 8, colour);
  }

  /** Where something held up the loop, and what. */
  bands(/** @type {Box} */ box) {
    for (const [from, to, where] of this.blocked) {
      this.stretch("rgba(200,30,30,.22)", from, to, box.top, box.height);
      this.stretch(ALARM, from, to, box.top, 3);
      const [x, wide] = this.stretch(ALARM, from, to, box.top + box.height - 3, 3);
      if (wide < 60) continue;
      const words = `loop blocked ${duration(to - from)}${where ? ` · ${where}` : ""}`;
      this.plate(clip(words, wide / 6), x + 3, box.top + box.height - 19, this.theme.alarm);
    }
  }

  /** The point of a run's bar on the canvas, or null where it has none. @param {number} id @param {number} time */
  point(id, time) {
    const lane = this.store.laneOf[id];
    const box = lane && this.boxes.find((one) => one.name === lane.name);
    const line = this.store.line.data[id];
    if (!box || (!box.dense && line >= lane.lines.length)) return null;
    const y = box.dense ? box.top + box.height / 2 : box.top + (line + 0.5) * box.line;
    const [loop] = this.boxes;
    // What is scrolled under the loop's lane is not in it.
    return { x: this.window.x(time), y: box.pinned ? y : Math.max(y, loop.top + loop.height + 3) };
  }

  /** From writers to readers: all of them while they are few, else those of the selected run. */
  arrows(/** @type {number} */ now) {
    const { store, window, path } = this;
    const wanted = new Set([this.selected, this.pointed, ...path].map((id) => store.run.data[id]));
    const few = store.reads.length <= 40;
    if (!few && this.selected < 0 && this.pointed < 0) return;
    let drawn = 0;
    for (let i = store.reads.length - 1; i >= 0 && drawn < 300; i--) {
      const { reader, writer } = store.reads[i];
      const ours = path.size ? wanted.has(reader) && wanted.has(writer) : wanted.has(reader) || wanted.has(writer);
      if (!few && !ours) continue;
      // A run that is not here has no point.
      const from = /** @type {number} */ (store.byRun.get(writer));
      const to = /** @type {number} */ (store.byRun.get(reader));
      const a = this.point(from, store.end(from, now));
      const b = this.point(to, store.begin(to));
      if (!a || !b || b.x < GUTTER || a.x > window.width) continue;
      this.arrow(a, b, ours);
      drawn++;
    }
  }

  /** @param {{x: number, y: number}} a @param {{x: number, y: number}} b @param {boolean} strong */
  arrow(a, b, strong) {
    const { ink, theme } = this;
    this.within(GUTTER, AXIS, this.window.width, this.height);
    ink.strokeStyle = ink.fillStyle = strong ? theme.text : theme.faint;
    ink.lineWidth = strong ? 2 : 1.25;
    const bend = Math.max(14, Math.abs(b.x - a.x) / 2);
    ink.stroke(new Path2D(`M${a.x} ${a.y}C${a.x + bend} ${a.y} ${b.x - bend} ${b.y} ${b.x - 5} ${b.y}`));
    ink.fill(new Path2D(`M${b.x} ${b.y}l-7 -4v8`));
    ink.restore();
  }

  /** The run under a point, or -1. @param {number} x @param {number} y */
  hit(x, y) {
    const found = boxAt(this.boxes, y);
    if (!found || x < GUTTER) return -1;
    const { store, window } = this;
    if (found.box.name === "waiting" && store.waiting.size) {
      return [...store.waiting][Math.min(Math.floor((y - found.box.top) / 6), store.waiting.size - 1)];
    }
    const line = store.lanes.get(found.box.name)?.lines[found.line];
    if (!line) return -1;
    const slack = 2 * window.scale;
    const time = window.time(x);
    const at = line.ends.below(time - slack);
    if (at >= line.ids.size) return -1;
    const id = line.ids.data[at];
    return store.begin(id) <= time + slack ? id : -1;
  }
}

/** @param {import("./store.js").Store} store @param {number} id */
export function laneWords(store, id) {
  return laneTitle(store.laneOf[id]?.name ?? "waiting");
}

/** @param {import("./store.js").Store} store @param {number} id */
export function statusWords(store, id) {
  const status = store.status.data[id];
  return MARKS[status] + STATUS[status];
}
