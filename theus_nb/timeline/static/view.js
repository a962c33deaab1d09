/** One view: the toolbar, the canvas, what pointer and keys do. */
import { CLOSED_LINES, GUTTER, Window, layout } from "./layout.js";
import { Painter, laneWords, statusWords } from "./draw.js";
import { criticalPath } from "./path.js";
import { clip, duration } from "./format.js";
import { AuditTable } from "./audit.js";
import { Input } from "./input.js";
import { download, neighbour, runsTable } from "./other.js";
import { showDetails } from "./details.js";
import { STATUS, compareLanes } from "./store.js";

const BUSY = ": a cell holds up the kernel, which hears of this when the cell ends.";

export class View {
  /**
   * @param {HTMLElement} el @param {import("./main.js").State} state
   */
  constructor(el, state) {
    this.state = state;
    this.root = document.createElement("div");
    this.root.className = "theus-timeline";
    this.root.innerHTML = state.model.get("markup");
    this.shown = false;
    this.owner = el;
    this.show(el);
    this.canvas = /** @type {HTMLCanvasElement} */ (this.part(".tn-canvas"));
    this.map = /** @type {HTMLCanvasElement} */ (this.part(".tn-map"));
    this.window = new Window();
    this.painter = new Painter(this.canvas, state.store, this.window);
    this.follow = true;
    this.scroll = 0;
    /** @type {Set<string>} */ this.opened = new Set();
    this.critical = false;
    /** Of the selected run, as it is shown. @type {number | undefined} */ this.status = 0;
    this.frame = 0;
    /** @type {{key: string, at: number, bars: number[]}} */ this.mapped = { key: "", at: -1000, bars: [] };
    this.audit = new AuditTable(this.part(".tn-audit"), (entry) => this.choose(entry), () => this.verify());
    new Input(this);
    this.watchSize = new ResizeObserver(() => this.resize());
    this.watchSize.observe(this.root);
    this.colours = "";
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

  restart() {
    this.painter.store = this.store;
    this.painter.selected = this.painter.pointed = -1;
    this.audit.entries = [];
    this.changed(this.state.lines);
    this.details(-1, null);
  }

  /** Stand in an element; an output that is renewed gets the same view again. @param {HTMLElement} el */
  show(el) {
    this.owner = el;
    el.replaceChildren(this.root);
  }

  remove() {
    this.watchSize.disconnect();
    clearInterval(this.beat);
    cancelAnimationFrame(this.frame);
  }

  /** Take over the colours of the page, as they are now. */
  theme() {
    const style = getComputedStyle(this.root);
    const back = style.backgroundColor;
    const value = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const colours = [style.color, back, value("--tn-faint"), value("--tn-grid"), value("--tn-soft")];
    if (!back || this.colours === colours.join()) return;
    this.colours = colours.join();
    const [r, g, b] = (back.match(/[\d.]+/g) ?? ["255", "255", "255"]).map(Number);
    const dark = 0.3 * r + 0.6 * g + 0.1 * b < 110;
    this.root.toggleAttribute("data-dark", dark);
    const [text, , faint, grid, loop] = colours;
    this.painter.theme = { text, back, faint, grid, loop, alarm: value("--tn-alarm") };
    this.painter.font = style.fontFamily || "sans-serif";
    this.ask();
  }

  resize() {
    const width = this.root.clientWidth;
    if (!width) return;
    this.theme();
    this.shown = true;
    const height = this.root.matches(":fullscreen")
      ? Math.max(240, globalThis.innerHeight - 300) : this.state.model.get("height") || 280;
    this.canvas.style.height = `${height}px`;
    this.painter.resize(width, height);
    this.map.width = width;
    this.map.height = 30;
    this.mapped.at = -1000;
    this.audit.paint();
    this.ask();
  }

  /** @param {string[]} lines */
  changed(lines) {
    this.audit.add(lines);
    this.audit.state(this.state.position);
    const { selected } = this.painter;
    if (selected >= 0 && this.status !== this.store.status.data[selected]) this.select(selected);
    this.ask();
  }

  /** Once in a while: what changes without a frame. */
  tick() {
    const { state, store } = this;
    this.theme();
    const gone = state.heard > 0 && !state.alive();
    this.root.classList.toggle("tn-gone", gone || Boolean(state.recalled));
    let notice = state.notice;
    if (gone) notice = "No news from the kernel: it is busy, restarted or gone. This is the last that was heard.";
    else if (state.recalled) notice = "No kernel: this is what was saved with the notebook.";
    else if (store.lost) notice = `${store.lost} changes came faster than they could be shown; the log has all of them.`;
    const part = this.part(".tn-notice");
    if (part.textContent !== notice) part.textContent = notice;
    if (this.follow && (store.open.size || (state.lag ?? 0) > 0.1)) this.ask();
  }

  ask() {
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = 0;
    const { store, painter, window, state } = this;
    const now = Math.max(state.now(), store.last);
    const busy = store.open.size > 0;
    if (this.follow && store.size) window.show(store.first, busy ? now : store.last);
    const sizes = [...store.lanes.values()].map((lane) => ({ name: lane.name, lines: lane.lines.length }));
    if (store.waiting.size && !store.lanes.has("waiting")) sizes.push({ name: "waiting", lines: 1 });
    sizes.sort((a, b) => compareLanes(a.name, b.name));
    const { boxes, most } = layout(sizes, painter.height, this.opened, this.scroll);
    this.scroll = Math.min(this.scroll, most);
    painter.boxes = boxes;
    const late = (state.lag ?? 0) * 1e9;
    painter.blocked = late > 250e6 ? [...state.blocked, [now - late, now, ""]] : state.blocked;
    painter.lags = state.lags;
    painter.lag = state.lag;
    painter.draw(now);
    this.minimap(busy ? now : store.last);
    this.words();
    Object.assign(this.canvas.dataset, {
      spans: store.size, frames: painter.frames, cost: painter.cost.toFixed(2), blocked: painter.blocked.length,
      seen: `${window.from} ${window.to}`, lanes: boxes.map((box) => box.name),
    });
  }

  words() {
    const { store, painter } = this;
    const parts = STATUS.map((word, i) => (store.counts[i] ? `${store.counts[i]} ${word}` : "")).filter(Boolean);
    let words = parts.join(" · ") || "nothing has run yet";
    if (painter.range) words = this.totals();
    this.part("[data-part=counts]").textContent = words;
    const open = painter.selected >= 0 && !store.ended.data[painter.selected];
    /** @type {HTMLButtonElement} */ (this.part("[data-do=cancel]")).disabled = !open;
    /** @type {HTMLButtonElement} */ (this.part("[data-do=cancelall]")).disabled = !store.open.size;
    this.press("follow", this.follow);
  }

  /** @param {string} what @param {boolean} on */
  press(what, on) {
    this.part(`[data-do=${what}]`).setAttribute("aria-pressed", String(on));
  }

  totals() {
    const [a, b] = [...(this.painter.range ?? [0, 0])].sort((p, q) => p - q);
    let runs = 0;
    let busy = 0;
    let used = 0;
    let workers = 0;
    for (const lane of this.store.lanes.values()) {
      runs += lane.count(a, b);
      const times = lane.lines.map((line) => this.store.busy(line, b) - this.store.busy(line, a));
      busy += times.reduce((sum, time) => sum + time, 0);
      if (!lane.name.startsWith("worker")) continue;
      workers++;
      used += times[0] ?? 0;
    }
    const share = workers ? ` · workers ${Math.round((100 * used) / (workers * Math.max(1, b - a)))} % busy` : "";
    return `${duration(b - a)} selected · ${runs} runs · ${duration(busy)} in them${share}`;
  }

  minimap(/** @type {number} */ now) {
    const ink = this.map.getContext("2d");
    const { store, painter: { theme } } = this;
    if (!ink || !store.size) return;
    const { width, height } = this.map;
    const span = Math.max(1, now - store.first);
    // Counting takes longer than everything else here: not at every frame.
    const key = `${store.size} ${store.open.size} ${width}`;
    const old = performance.now() - this.mapped.at > 200;
    if (this.mapped.key !== key && !old) setTimeout(() => this.ask(), 200);
    if (this.mapped.key !== key && old) {
      const bars = [];
      for (let x = 0; x < width; x += 3) {
        let count = 0;
        for (const lane of store.lanes.values()) {
          count += lane.count(store.first + (x / width) * span, store.first + ((x + 3) / width) * span);
        }
        bars.push(count ? Math.min(height - 4, 3 + Math.log2(1 + count) * 4) : 0);
      }
      this.mapped = { key, at: performance.now(), bars };
    }
    ink.fillStyle = theme.back;
    ink.fillRect(0, 0, width, height);
    ink.fillStyle = theme.faint;
    this.mapped.bars.forEach((high, i) => ink.fillRect(3 * i, height - high, 2, high));
    const left = ((this.window.from - store.first) / span) * width;
    const wide = ((this.window.to - this.window.from) / span) * width;
    ink.fillStyle = "rgba(60,127,192,.22)";
    ink.fillRect(left, 0, Math.max(3, wide), height);
    ink.strokeStyle = "#3c7fc0";
    ink.strokeRect(left + 0.5, 0.5, Math.max(3, wide) - 1, height - 1);
  }

  /** The user moves: what is in view stays there. @param {() => void} move */
  move(move) {
    this.follow = false;
    move();
    this.ask();
  }

  /** @param {number} id @param {import("./details.js").More | null} more */
  details(id, more) {
    showDetails(this.part(".tn-details"), this.store, id, this.state.now(), more, () => this.again(id));
  }

  /** A run in one line. @param {number} id */
  describe(id) {
    const { store, state } = this;
    const took = duration(store.end(id, state.now()) - store.begin(id));
    return `${clip(store.name(id), 80)} · r${store.run.data[id]} · ${statusWords(store, id)} · ${laneWords(store, id)} · ${took}`;
  }

  showPath() {
    const { painter, store, critical } = this;
    painter.path = critical && painter.selected >= 0 ? criticalPath(store, painter.selected) : new Set();
    this.canvas.dataset.path = [...painter.path].map((id) => `r${store.run.data[id]}`).join(" ");
  }

  /** Tell those who do not see. @param {string} words */
  say(words) {
    this.part(".tn-hidden").textContent = words;
  }

  /** @param {number} id @param {boolean} [reveal] */
  select(id, reveal = false) {
    const { store, painter, state, window } = this;
    painter.selected = id;
    this.status = store.status.data[id];
    this.showPath();
    this.details(id, null);
    this.ask();
    const run = store.run.data[id];
    this.canvas.dataset.selected = id < 0 ? "" : `r${run}`;
    if (id < 0) return;
    this.audit.mark(`r${run}`);
    this.say(this.describe(id));
    const begin = store.begin(id);
    if (reveal && (begin < window.from || begin > window.to)) {
      this.move(() => window.pan((begin - (window.from + window.to) / 2) / window.scale));
    }
    void state.ask({ op: "details", run, process: store.name(id) }, 30_000).then((answer) => {
      if (answer && painter.selected === id) this.details(id, answer.details);
    });
  }

  /** @param {import("./audit.js").Entry} entry */
  choose(entry) {
    const id = this.store.byRun.get(Number((entry.run ?? "").slice(1)));
    if (id !== undefined) this.select(id, true);
  }

  /** Show a line until the next one. @param {string} words */
  note(words) {
    this.state.notice = words;
    this.tick();
  }

  /** @param {number | null} run */
  async cancel(run) {
    this.note("Asking for the end…");
    const answer = await this.state.ask({ op: "cancel", run }, 700);
    this.note(answer ? "" : `Not delivered yet${BUSY}`);
  }

  /** @param {number} id */
  async again(id) {
    const answer = await this.state.ask({ op: "again", process: this.store.name(id) }, 3000);
    this.note(answer?.text ?? `Not started yet${BUSY}`);
    return "";
  }

  /** @returns {Promise<import("./audit.js").Verdict>} */
  async verify() {
    const answer = await this.state.ask({ op: "verify" }, 600_000);
    const verdict = answer ?? { ok: null, words: "no answer from the kernel", text: "" };
    this.note(verdict.ok ? "" : verdict.text);
    return verdict;
  }

  /** @param {string} kind ending of the file */
  async save(kind) {
    if (kind === "png") return download(kind, this.canvas.toDataURL("image/png"));
    const answer = await this.state.ask({ op: "export", as: kind }, 20_000);
    if (answer) download(kind, answer.text);
    this.note(answer ? "" : "Nothing was exported: the kernel, which makes this file, does not answer.");
  }

  fold() {
    for (const lane of this.store.lanes.values()) {
      if (lane.lines.length > CLOSED_LINES && !this.opened.delete(lane.name)) this.opened.add(lane.name);
    }
  }

  /** @param {string} what */
  act(what) {
    const { painter, store, window } = this;
    const middle = (window.width + GUTTER) / 2;
    const step = (/** @type {number} */ by, /** @type {boolean} */ across) => {
      const id = neighbour(store, painter.boxes, painter.selected, by, across);
      if (id >= 0) this.select(id, true);
    };
    /** @type {Record<string, () => void>} */ const acts = {
      left: () => this.move(() => window.pan(-90)),
      right: () => this.move(() => window.pan(90)),
      earlier: () => step(-1, false),
      later: () => step(1, false),
      above: () => step(-1, true),
      below: () => step(1, true),
      none: () => this.select(-1),
      fold: () => this.fold(),
      fit: () => this.move(() => window.show(store.first, Math.max(this.state.now(), store.last))),
      follow: () => (this.follow = !this.follow),
      path: () => {
        this.press(what, (this.critical = !this.critical));
        this.showPath();
      },
      in: () => this.move(() => window.zoom(1 / 1.3, middle)),
      out: () => this.move(() => window.zoom(1.3, middle)),
      cancel: () => painter.selected >= 0 && void this.cancel(store.run.data[painter.selected]),
      cancelall: () => void this.cancel(null),
      table: () => {
        const pane = this.part(".tn-table");
        pane.hidden = !pane.hidden;
        this.press(what, !pane.hidden);
        if (!pane.hidden) pane.replaceChildren(runsTable(store, this.state.now()));
      },
      full: () => void (this.root.matches(":fullscreen") ? document.exitFullscreen() : this.root.requestFullscreen?.()),
    };
    acts[what]?.();
    this.ask();
  }
}
