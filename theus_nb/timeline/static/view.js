/** One view: the toolbar, the canvas, what pointer and keys do. */
import { CLOSED_LINES, GUTTER, Window, layout } from "./layout.js";
import { COLOURS, Painter } from "./draw.js";
import { criticalPath } from "./path.js";
import { duration, ordered, percent } from "./format.js";
import { AuditTable } from "./audit.js";
import { FAR, Input } from "./input.js";
import { download, neighbour, runWords, runsTable } from "./other.js";
import { factList, showDetails } from "./details.js";
import { FAILED, STATUS, compareLanes } from "./store.js";
import { countRuns } from "./shades.js";

const BUSY = ": a cell holds up the kernel, which hears of this when the cell ends.";

export class View {
  /** @param {import("./main.js").State} state */
  constructor(state) {
    this.state = state;
    this.root = document.createElement("div");
    this.root.className = "theus-timeline";
    /** For whoever looks at it from outside. */ Object.assign(this.root, { view: this });
    this.root.innerHTML = state.model.get("markup");
    this.left = false;
    this.canvas = /** @type {HTMLCanvasElement} */ (this.part(".tn-canvas"));
    this.map = /** @type {HTMLCanvasElement} */ (this.part(".tn-map"));
    this.lanes = this.part(".tn-lanes");
    this.lanes.style.height = `${state.model.get("height")}px`;
    this.window = new Window();
    /** What the minimap shows: all of the time. */ this.whole = new Window();
    this.whole.left = 0;
    this.painter = new Painter(this.canvas, state.store, this.window);
    this.follow = true;
    /** How much of the newest time is followed: what the user had in view last. */ this.span = Infinity;
    this.scroll = this.most = 0;
    /** @type {Set<string>} */ this.opened = new Set();
    this.critical = false;
    /** What was selected by it. @type {import("./audit.js").Entry | undefined} */ this.entry = undefined;
    /** Of the selected run, as it is shown. @type {number | undefined} */ this.status = 0;
    this.frame = 0;
    /** @type {{key: string, at: number, bars: number[], failed: number[]}} */ this.mapped = { key: "", at: -1000, bars: [], failed: [] };
    this.audit = new AuditTable(this.part(".tn-audit"), (entry) => this.select(this.store.byRun.get(Number(entry.run?.slice(1))) ?? -1, true, entry), () => this.verify());
    new Input(this);
    this.watchSize = new ResizeObserver(() => this.resize());
    this.watchSize.observe(this.root);
    this.watchSize.observe(this.lanes);
    this.colours = this.renewed = "";
    /** What the kernel knows of the selected run. @type {import("./details.js").More | null} */ this.more = null;
    this.beat = setInterval(() => this.tick(), 250);
    this.restart();
    this.theme();
  }

  /** @param {string} selector @returns {HTMLElement} */
  part(selector) {
    return /** @type {HTMLElement} */ (this.root.querySelector(selector));
  }

  get store() {
    return this.state.store;
  }

  /** Where the picture ends: now, while anything runs. */
  get until() {
    return Math.max(this.store.open.size ? this.state.now() : 0, this.store.last);
  }

  restart() {
    this.painter.store = this.store;
    this.painter.selected = this.painter.pointed = -1;
    this.audit.entries = [];
    this.changed(this.state.lines);
    this.details(-1, null);
  }

  remove() {
    this.watchSize.disconnect();
    clearInterval(this.beat);
    cancelAnimationFrame(this.frame);
  }

  /** Take over the colours of the page, as they are now. */
  theme() {
    const style = getComputedStyle(this.root);
    const { color: text, backgroundColor: back, fontFamily: font } = style;
    const [r, g, b] = (back.match(/[\d.]+/g) ?? []).map(Number);
    this.root.toggleAttribute("data-dark", 0.3 * r + 0.6 * g + 0.1 * b < 110);
    const [faint, grid, loop, alarm] = ["faint", "grid", "loop", "alarm"].map((name) => style.getPropertyValue(`--tn-${name}`).trim());
    const theme = { text, back, faint, grid, loop, alarm, font };
    const colours = Object.values(theme).join();
    if (!back || this.colours === colours) return;
    this.colours = colours;
    this.painter.theme = theme;
    this.ask();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.lanes;
    if (!width) return;
    this.theme();
    this.painter.resize(width, height);
    this.map.width = width;
    this.mapped.at = -1000;
    this.audit.scroll.scrollTop = this.audit.top;
    this.audit.paint();
    this.ask();
  }

  /** @param {string[]} lines */
  changed(lines) {
    this.audit.add(lines);
    this.audit.state(this.state.position);
    const { selected } = this.painter;
    if (selected >= 0 && this.status !== this.store.status.data[selected]) this.select(selected, false, this.entry);
    this.ask();
  }

  /** Once in a while: what changes without a frame. */
  tick() {
    const { state, store } = this;
    this.theme();
    const gone = state.heard > 0 && !state.alive();
    for (const [name, on] of Object.entries({ gone, saved: state.recalled && !gone, lost: store.lost > 0 })) {
      this.root.classList.toggle(`tn-${name}`, on === true);
    }
    this.write("lost", String(store.lost));
    this.write("notice", state.notice);
    // The kernel may have forgotten a page that slept.
    if (gone) state.here(60_000);
    if (this.follow && (store.open.size || (state.lag ?? 0) > 0.1)) this.ask();
    const key = `${store.size} ${store.counts}`;
    if (store.open.size || this.renewed !== key) this.renew();
    this.renewed = key;
  }

  /** Say something in a place, which screen readers read out where it is new. @param {string} place @param {string} words */
  write(place, words) {
    const part = this.part(`[data-part=${place}]`);
    if (part.textContent !== words) part.textContent = words;
  }

  ask() {
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = 0;
    const { store, painter, window, state } = this;
    const { until } = this;
    const now = Math.max(state.now(), until);
    if (this.follow && store.size) window.show(Math.max(store.first, until - this.span), until);
    const sizes = [...store.lanes.values()].map(({ name, lines }) => ({ name, lines: lines.length }));
    if (store.waiting.size && !store.lanes.has("waiting")) sizes.push({ name: "waiting", lines: 1 });
    sizes.sort((a, b) => compareLanes(a.name, b.name));
    const { boxes, most } = layout(sizes, painter.height, this.opened, this.scroll);
    this.most = most;
    this.scroll = Math.min(this.scroll, most);
    painter.boxes = boxes;
    const late = (state.lag ?? 0) * 1e9;
    painter.blocked = late > 250e6 ? [...state.blocked, [now - late, now, ""]] : state.blocked;
    painter.lags = state.lags;
    painter.lag = state.lag;
    painter.draw(now);
    this.minimap();
    this.words();
    this.canvas.dataset.spans = String(store.size);
  }

  words() {
    const { store, painter } = this;
    const parts = STATUS.map((word, i) => (store.counts[i] ? `${store.counts[i]} ${word}` : "")).filter(Boolean);
    this.write("counts", painter.range ? this.totals() : parts.join(" · ") || "nothing has run yet");
    /** @type {HTMLButtonElement} */ (this.part("[data-do=cancel]")).disabled = !store.open.has(painter.selected);
    /** @type {HTMLButtonElement} */ (this.part("[data-do=cancelall]")).disabled = !store.open.size;
    this.press("follow", this.follow);
  }

  /** @param {string} what @param {boolean} on */
  press(what, on, state = "pressed") {
    this.part(`[data-do=${what}]`).setAttribute(`aria-${state}`, String(on));
  }

  totals() {
    const [a, b] = ordered(this.painter.range ?? [0, 0]);
    let [runs, busy, used, workers] = [0, 0, 0, 0];
    for (const lane of this.store.lanes.values()) {
      runs += lane.count(a, b);
      const times = lane.lines.map((line) => this.store.busy(line, b) - this.store.busy(line, a));
      for (const time of times) busy += time;
      if (!lane.name.startsWith("worker")) continue;
      workers++;
      used += times[0] ?? 0;
    }
    const share = workers ? ` · workers ${percent(used / workers / (b - a || 1))} busy` : "";
    return `${duration(b - a)} selected · ${runs} runs · ${duration(busy)} in them${share}`;
  }

  minimap() {
    const ink = /** @type {CanvasRenderingContext2D} */ (this.map.getContext("2d"));
    const { store, window, whole, painter: { theme } } = this;
    if (!store.size) return;
    const { width, height } = this.map;
    Object.assign(whole, { from: store.first, to: this.until * 1.005 - store.first / 200 + 1, width });
    // Counting takes longer than everything else here: not at every frame.
    const key = `${store.size} ${store.open.size} ${width}`;
    const old = performance.now() - this.mapped.at > 200;
    if (this.mapped.key !== key && !old) setTimeout(() => this.ask(), 200);
    if (this.mapped.key !== key && old) {
      const lanes = [...store.lanes.values()];
      const sum = (/** @type {number[][]} */ all) => all[0].map((_, i) => all.reduce((total, counts) => total + counts[i], 0));
      this.mapped = {
        key, at: performance.now(), bars: sum(lanes.map((lane) => countRuns(lane.starts, lane.ends, whole))),
        failed: sum(lanes.map((lane) => countRuns(lane.failures, lane.failures, whole))),
      };
    }
    const fill = (/** @type {string} */ colour, /** @type {number} */ x, /** @type {number} */ wide, high = height) => {
      ink.fillStyle = colour;
      ink.fillRect(x, height - high, wide, high);
    };
    fill(theme.back, 0, width);
    const left = whole.x(window.from);
    const wide = Math.max(3, whole.x(window.to) - left);
    fill("rgba(60,127,192,.22)", left, wide);
    const { bars, failed } = this.mapped;
    bars.forEach((count, i) => count && fill(failed[i] ? COLOURS[FAILED] : theme.faint, 2 * i, failed[i] ? 3 : 1, Math.min(height - 4, 3 + Math.log2(1 + count) * 4)));
    ink.strokeStyle = "#3c7fc0";
    ink.strokeRect(left + 0.5, 0.5, wide - 1, height - 1);
  }

  /** What stands in the table and beside it goes with the time. */
  renew() {
    const { store, painter, until } = this;
    if (!this.part(".tn-table").hidden) this.part("tbody").replaceChildren(...runsTable(store, until));
    const list = this.root.querySelector(".tn-details dl");
    // What led to a run takes a while to find among many.
    if (list && store.open.has(painter.selected) && store.size < 20_000) list.replaceChildren(...factList(store, painter.selected, until, this.more));
  }

  /** The user moves: what is in view stays there. @param {() => void} move */
  move(move) {
    this.follow = false;
    move();
    this.span = (this.window.to - this.window.from) / 1.04;
    this.ask();
  }

  /** @param {number} id @param {import("./details.js").More | null} more */
  details(id, more) {
    this.more = more;
    showDetails(this.part(".tn-details"), this.store, id, this.until, more, () => this.again(id), this.entry);
  }

  /** A run in one line. @param {number} id */
  describe(id) {
    return runWords(this.store, id, this.state.now()).join(" · ");
  }

  showPath() {
    const { painter, store, critical } = this;
    painter.path = critical && painter.selected >= 0 ? criticalPath(store, painter.selected) : new Set();
  }

  /** @param {number} id @param {boolean} [reveal] @param {import("./audit.js").Entry} [entry] of the run, or of none */
  select(id, reveal = false, entry) {
    const { store, painter, state, window } = this;
    painter.selected = id;
    this.entry = entry;
    this.status = store.status.data[id];
    this.showPath();
    this.details(id, null);
    this.ask();
    const label = id < 0 ? "" : store.label(id);
    this.canvas.dataset.selected = label;
    this.audit.mark(label);
    if (id < 0) return void (painter.range = null);
    // For those who do not see.
    this.part(".tn-hidden").textContent = this.describe(id);
    const begin = store.begin(id);
    // The lanes below the loop's scroll, where there are many.
    if (reveal && store.laneOf[id]?.name !== "loop") this.scroll += (painter.point(id, begin)?.y ?? 0) - painter.height * 0.7;
    if (reveal && (begin < window.from || begin > window.to)) this.move(() => window.center(begin));
    void state.ask({ op: "details", run: store.run.data[id], process: store.name(id) }, 30_000).then((answer) => {
      if (answer && painter.selected === id) this.details(id, answer.details);
    });
  }

  /** Show a line until the next one. @param {string} words @param {boolean} [alarm] whether something did not go well */
  note(words, alarm = false) {
    this.state.notice = words;
    this.part(".tn-notice").classList.toggle("tn-warn", alarm);
    this.tick();
  }

  /** @param {number | null} run */
  async cancel(run) {
    this.note("Asking for the end…");
    const answer = await this.state.ask({ op: "cancel", run }, 700);
    this.note(answer ? "" : `Not delivered yet${BUSY}`, true);
  }

  /** @param {number} id */
  async again(id) {
    const answer = await this.state.ask({ op: "again", process: this.store.name(id) }, 3000);
    const words = answer?.text ?? `Not started yet${BUSY}`;
    this.note(words, words.startsWith("Not started"));
  }

  /** @returns {Promise<import("./audit.js").Verdict>} */
  async verify() {
    const verdict = (await this.state.ask({ op: "verify" }, 600_000)) ?? { ok: null, words: "no answer", text: "" };
    this.note(verdict.ok ? "" : verdict.text, true);
    return verdict;
  }

  /** @param {string} kind ending of the file */
  async save(kind) {
    if (kind === "png") return download(kind, this.canvas.toDataURL());
    const answer = await this.state.ask({ op: "export", as: kind }, 20_000);
    if (answer) download(kind, URL.createObjectURL(new Blob([answer.text])));
    this.note(answer ? "" : "Not exported: the kernel does not answer.", true);
  }

  /** Show a part or hide it. @param {string} what @param {string} state */
  fold(what, state) {
    const pane = this.part(`.tn-${what}`);
    pane.hidden = !pane.hidden;
    this.press(what, !pane.hidden, state);
  }

  /** @param {string} what */
  act(what) {
    const { painter, store, window } = this;
    const middle = (window.width + GUTTER) / 2;
    /** @type {(by: number, across?: boolean) => () => void} */ const step = (by, across) => () => {
      const id = neighbour(store, painter.boxes, painter.selected, by, across);
      if (id >= 0) this.select(id, true);
    };
    /** Move the end of the range: it begins at the selected run. @type {(by: number) => () => void} */ const range = (by) => () => {
      const begin = store.begin(painter.selected) ?? window.time(middle);
      const [from, to] = painter.range ?? [begin, begin];
      painter.range = [from, to + 20 * by * window.scale];
      this.part(".tn-hidden").textContent = this.totals();
    };
    /** Make what has the keys higher. @type {(by: number) => () => void} */ const grow = (by) => () => {
      const pane = this.audit.scroll.matches(":focus") ? this.audit.scroll : this.lanes;
      pane.style.height = `${pane.clientHeight + by}px`;
    };
    /** @type {Record<string, () => void>} */ const moves = {
      left: () => window.pan(-90),
      right: () => window.pan(90),
      in: () => window.zoom(1 / 1.3, middle),
      out: () => window.zoom(1.3, middle),
      fit: () => window.show(store.first, this.until),
    };
    /** @type {Record<string, () => void>} */ const acts = {
      earlier: step(-1),
      later: step(1),
      above: step(-1, true),
      below: step(1, true),
      taller: grow(40),
      lower: grow(-40),
      wider: range(1),
      narrower: range(-1),
      none: () => this.select(-1),
      lanes: () => {
        for (const { name, lines } of store.lanes.values()) {
          if (lines.length > CLOSED_LINES && !this.opened.delete(name)) this.opened.add(name);
        }
      },
      follow: () => (this.follow = !this.follow),
      path: () => {
        this.press(what, (this.critical = !this.critical));
        this.showPath();
      },
      cancel: () => painter.selected >= 0 && void this.cancel(store.run.data[painter.selected]),
      cancelall: () => void this.cancel(null),
      table: () => {
        this.fold(what, "pressed");
        this.renew();
      },
      help: () => this.fold(what, "expanded"),
      full: () => void (this.root.matches(":fullscreen") ? document.exitFullscreen() : this.root.requestFullscreen?.()),
    };
    acts[what]?.();
    if (FAR[what]) step(FAR[what])();
    if (moves[what]) this.move(moves[what]);
    if (what === "fit") this.span = Infinity;
    this.ask();
  }
}
