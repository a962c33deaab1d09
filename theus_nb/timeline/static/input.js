/** What pointer, wheel and keys do to a view. */
import { GUTTER, boxAt } from "./layout.js";
import { clip, duration } from "./format.js";

/** What keys do, by the names of the acts. @type {Record<string, string>} */
const KEYS = {
  w: "in", "+": "in", "=": "in", s: "out", "-": "out", a: "left", d: "right", 0: "fit", f: "follow", o: "fold",
  p: "path", c: "cancel", ArrowLeft: "earlier", ArrowRight: "later", ArrowUp: "above", ArrowDown: "below", Escape: "none",
};

export class Input {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.pressed = { x: 0, y: 0, moved: false, mode: "" };
    const { canvas, map } = view;
    view.part(".tn-bar").addEventListener("click", (event) => {
      const button = /** @type {HTMLElement} */ (event.target).closest("button");
      if (button) view.act(button.dataset.do ?? "");
    });
    const search = /** @type {HTMLInputElement} */ (view.part("[data-do=search]"));
    let found = 0;
    search.addEventListener("input", () => (found = 0));
    search.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" || !search.value) return;
      const ids = view.store.find(search.value, 1000);
      if (ids.length) view.select(ids[found++ % ids.length], true);
      view.say(`${ids.length} runs found`);
    });
    const choice = /** @type {HTMLSelectElement} */ (view.part("[data-do=export]"));
    choice.addEventListener("change", () => {
      void view.save(choice.value);
      choice.value = "";
    });
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      this.pressed = { x: event.offsetX, y: event.offsetY, moved: false, mode: event.shiftKey ? "range" : "pan" };
      view.painter.range = null;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => this.pointer(event));
    canvas.addEventListener("pointerleave", () => (view.part(".tn-tip").textContent = ""));
    canvas.addEventListener("click", (event) => this.click(event));
    map.addEventListener("pointerdown", (event) => {
      map.setPointerCapture(event.pointerId);
      this.jump(event);
    });
    map.addEventListener("pointermove", (event) => event.buttons & 1 && this.jump(event));
  }

  jump(/** @type {PointerEvent} */ event) {
    const { store, state, map, window } = this.view;
    const now = Math.max(state.now(), store.last);
    const at = store.first + (event.offsetX / map.clientWidth) * (now - store.first);
    this.view.move(() => window.pan((at - (window.from + window.to) / 2) / window.scale));
  }

  pointer(/** @type {PointerEvent} */ event) {
    const { view, pressed } = this;
    const { offsetX: x, offsetY: y } = event;
    if (!(event.buttons & 1)) return this.point(x, y);
    if (!pressed.moved && Math.abs(x - pressed.x) < 3 && Math.abs(y - pressed.y) < 3) return;
    pressed.moved = true;
    if (pressed.mode === "range") {
      view.painter.range = [view.window.time(pressed.x), view.window.time(x)];
      view.ask();
      return;
    }
    view.scroll = Math.max(0, view.scroll - (y - pressed.y));
    view.move(() => view.window.pan(pressed.x - x));
    Object.assign(pressed, { x, y });
  }

  /** Say what is under the pointer. @param {number} x @param {number} y */
  point(x, y) {
    const { view } = this;
    const { painter, window } = view;
    const id = painter.hit(x, y);
    const at = window.time(x);
    const held = y < (painter.boxes[1]?.top ?? 0) && painter.blocked.find(([from, to]) => from <= at && at <= to);
    const tip = view.part(".tn-tip");
    if (id >= 0) tip.textContent = view.describe(id);
    else tip.textContent = held ? `loop blocked ${duration(held[1] - held[0])} · ${clip(held[2], 200)}` : "";
    tip.style.left = `${Math.min(x + 14, window.width - 240)}px`;
    tip.style.top = `${view.canvas.offsetTop + y + 16}px`;
    if (painter.pointed === id) return;
    painter.pointed = id;
    view.ask();
  }

  click(/** @type {MouseEvent} */ event) {
    if (this.pressed.moved) return;
    const { view } = this;
    const found = boxAt(view.painter.boxes, event.offsetY);
    if (found?.box.foldable && (event.offsetX < GUTTER || found.box.dense)) {
      const { name } = found.box;
      if (!view.opened.delete(name)) view.opened.add(name);
      view.ask();
    } else {
      view.select(view.painter.hit(event.offsetX, event.offsetY));
    }
  }

  wheel(/** @type {WheelEvent} */ event) {
    const { view } = this;
    const zoom = event.ctrlKey || event.metaKey || event.altKey;
    if (!zoom && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
    event.preventDefault();
    const factor = Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.01);
    view.move(() => (zoom ? view.window.zoom(factor, event.offsetX) : view.window.pan(event.deltaX)));
  }

  key(/** @type {KeyboardEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    this.view.act(act);
  }
}
