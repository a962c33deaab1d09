/** What anywidget calls: one state per widget, however many views show it. */
import { Order, decode } from "./wire.js";
import { Store } from "./store.js";
import { View } from "./view.js";

const SILENCE = 8_000;

/** A widget's runs and entries, kept while its views come and go. */
export class State {
  /** @param {any} model */
  constructor(model) {
    this.model = model;
    this.store = new Store();
    this.order = new Order();
    this.page = Math.random().toString(36).slice(2);
    /** @type {Set<View>} */ this.views = new Set();
    /** @type {string[]} */ this.lines = [];
    /** Where the loop was held up: from, to, by what. @type {import("./draw.js").Blocked[]} */ this.blocked = [];
    /** @type {[number, number, number] | null} */ this.position = null;
    /** @type {Map<string, (answer: any) => void>} */ this.questions = new Map();
    this.asked = 0;
    this.clock = { kernel: 0, page: 0 };
    this.heard = this.told = 0;
    /** @type {number | null} */ this.lag = null;
    /** @type {[number, number][]} */ this.lags = [];
    this.attached = false;
    this.notice = "";
    /** With more runs a page begins anew with those that the kernel still has. */
    this.most = 1_500_000;
    this.cost = 0;
    this.interval = 0.05;
    model.on("msg:custom", (/** @type {any} */ message, /** @type {any[]} */ buffers) => this.hear(message, buffers));
    this.recall(model.get("saved"));
  }

  /** Draw what was saved with the notebook; a kernel that answers replaces it. @param {any} saved */
  recall(saved) {
    if (!saved?.rows) return;
    this.store.names = [...saved.names];
    const data = Uint8Array.from(atob(saved.data), (one) => one.charCodeAt(0));
    this.store.apply(decode(saved, data.buffer));
    this.clock.kernel = saved.now;
    this.lines = saved.lines;
    this.blocked = saved.blocked;
    this.recalled = true;
  }

  now() {
    const { kernel, page } = this.clock;
    return page && this.alive() ? kernel + (performance.now() - page) * 1e6 : kernel;
  }

  alive() {
    return this.heard > 0 && performance.now() - this.heard < SILENCE;
  }

  sync() {
    this.attached = true;
    this.send({ op: "sync" });
  }

  /** A page that was closed cannot say so: the others say that they are there. @param {number} [pause] ms since the last word */
  here(pause = 10_000) {
    if (this.attached && performance.now() - this.told > pause) this.send({ op: "here" });
  }

  /** Nobody looks any more. */
  leave() {
    this.attached = false;
    this.send({ op: "idle" });
  }

  /** @param {Record<string, unknown>} message */
  send(message) {
    this.told = performance.now();
    try {
      this.model.send({ ...message, page: this.page });
    } catch {
      this.notice = "There is no kernel.";
    }
  }

  /** Ask the kernel; null if it does not answer in time. @param {Record<string, unknown>} message @param {number} patience ms @returns {Promise<any>} */
  ask(message, patience) {
    const id = `${this.page}-${++this.asked}`;
    return new Promise((resolve) => {
      this.questions.set(id, resolve);
      setTimeout(() => this.questions.delete(id) && resolve(null), patience);
      this.send({ ...message, id });
    });
  }

  /** @param {any} message @param {any[]} buffers */
  hear(message, buffers) {
    this.heard = performance.now();
    if (message.op === "answer") {
      this.questions.get(message.to)?.(message);
      this.questions.delete(message.to);
    } else if (message.op === "frame") this.frame(message, buffers);
  }

  /** @param {import("./wire.js").Frame} frame @param {any[]} buffers */
  frame(frame, buffers) {
    if (this.recalled && frame.anew) {
      this.recalled = false;
      this.store = new Store();
      this.lines = [];
      for (const view of this.views) view.restart();
    }
    const began = performance.now();
    const verdict = this.order.judge(frame.frame, frame.anew);
    if (verdict === "old") return;
    if (verdict === "gap") this.sync();
    if (frame.anew) {
      this.store.reads = [];
      this.lags = this.blocked = [];
    }
    try {
      frame.names.forEach((name, i) => (this.store.names[frame.first_name + i] = name));
      this.store.apply(decode(frame, buffers[0]));
    } catch (error) {
      this.notice = `A frame could not be read (${error}); asking for it again.`;
      this.sync();
      return;
    }
    this.store.lost += frame.lost;
    this.clock = { kernel: frame.now, page: performance.now() };
    this.lag = frame.lag;
    this.lags = [...this.lags, ...frame.lags].slice(-5_000);
    this.blocked = [...this.blocked, ...frame.blocked];
    this.position = frame.audit;
    this.lines.push(...frame.lines);
    this.lines.splice(0, this.lines.length - 20_000);
    for (const view of this.views) view.changed(frame.lines);
    if (this.store.size > this.most && !this.recalled) {
      this.recalled = true;
      this.notice = "Only the newest runs are shown; the log has all.";
      this.sync();
    }
    this.here();
    this.pace(performance.now() - began);
  }

  /** Ask for fewer frames while they cost too much or nobody looks. @param {number} cost ms */
  pace(cost) {
    const drawn = Math.max(0, ...[...this.views].map((view) => view.painter.cost));
    this.cost = 0.8 * this.cost + 0.2 * (cost + drawn);
    const wanted = document.hidden ? 1 : this.cost > 30 ? 0.25 : 0.05;
    if (wanted === this.interval) return;
    this.interval = wanted;
    this.send({ op: "pace", interval: wanted });
  }
}

/** Called once for each widget: what its views share lives here. */
export default () => {
  /** @type {State} */ let state;
  return {
    /** @param {{model: any}} context of the widget, not of one of its views: it hears as long as there is a widget */
    initialize({ model }) {
      state = new State(model);
    },
    /** @param {{el: HTMLElement}} context */
    render({ el }) {
      // A cell that is moved makes a new view of the same widget: it gets the one that has just
      // left, with its zoom, its filters and its selection.
      const view = [...state.views].find((one) => one.left) ?? new View(state);
      view.left = false;
      el.replaceChildren(view.root);
      state.views.add(view);
      if (!state.attached) state.sync();
      return () => {
        view.left = true;
        setTimeout(() => {
          if (!view.left) return;
          view.remove();
          state.views.delete(view);
          if (!state.views.size) state.leave();
        }, 1000);
      };
    },
  };
};
