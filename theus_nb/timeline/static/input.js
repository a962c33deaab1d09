/** What pointer, wheel and keys do to a view. */
import { GUTTER, boxAt } from "./layout.js";
import { clip, duration } from "./format.js";

/** Over how many runs or entries some keys go. @type {Record<string, number>} */
export const FAR = { first: -Infinity, back: -7, on: 7, last: Infinity };

export class Input {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    /** What keys do: the help says so. @type {Map<string, string>} */ this.keys = new Map();
    for (const { dataset } of view.root.querySelectorAll("kbd")) {
      for (const [act, keys] of Object.entries(dataset)) keys?.split(" ").forEach((key) => this.keys.set(key, act));
    }
    this.pressed = { x: 0, y: 0, moved: false, range: false };
    const { canvas, map } = view;
    view.part(".tn-bar").onclick = (event) => {
      const button = /** @type {HTMLElement} */ (event.target).closest("button");
      if (button) view.act(button.dataset.do ?? "");
    };
    const search = /** @type {HTMLInputElement} */ (view.part("[data-do=search]"));
    let found = 0;
    search.oninput = () => (found = 0);
    search.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" || !search.value) return;
      const ids = view.store.find(search.value, 1000);
      view.note(ids.length ? `${(found++ % ids.length) + 1} of ${ids.length} runs found` : "No run has this name or number.");
      if (ids.length) view.select(ids[(found - 1) % ids.length], true);
    };
    const choice = /** @type {HTMLSelectElement} */ (view.part("[data-do=export]"));
    choice.onchange = () => {
      void view.save(choice.value);
      choice.value = "";
    };
    canvas.onkeydown = view.audit.scroll.onkeydown = (event) => this.key(event);
    canvas.onwheel = (event) => this.wheel(event);
    canvas.onpointerdown = (event) => {
      this.pressed = { x: event.offsetX, y: event.offsetY, moved: false, range: event.shiftKey };
      view.painter.range = null;
      canvas.setPointerCapture(event.pointerId);
    };
    canvas.onpointermove = (event) => this.pointer(event);
    canvas.onpointerleave = () => (view.part(".tn-tip").textContent = "");
    canvas.onclick = (event) => this.click(event);
    map.onpointerdown = map.onpointermove = (event) => {
      if (!(event.buttons & 1)) return;
      map.setPointerCapture(event.pointerId);
      view.move(() => view.window.center(view.whole.time(event.offsetX)));
    };
  }

  pointer(/** @type {PointerEvent} */ event) {
    const { view, pressed } = this;
    const { offsetX: x, offsetY: y } = event;
    if (!(event.buttons & 1)) return this.point(x, y);
    if (!pressed.moved && Math.hypot(x - pressed.x, y - pressed.y) < 3) return;
    pressed.moved = true;
    if (pressed.range) {
      view.painter.range = [view.window.time(pressed.x), view.window.time(x)];
      return view.ask();
    }
    view.scroll = Math.max(0, view.scroll + pressed.y - y);
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
    if (!zoom && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) {
      // The lanes are scrolled to their end, then the page.
      const scroll = Math.max(0, Math.min(view.most, view.scroll + event.deltaY));
      if (scroll !== view.scroll) event.preventDefault();
      view.scroll = scroll;
      return view.ask();
    }
    event.preventDefault();
    const factor = Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.01);
    view.move(() => (zoom ? view.window.zoom(factor, event.offsetX) : view.window.pan(event.deltaX)));
  }

  key(/** @type {KeyboardEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    const act = (event.shiftKey && this.keys.get(`shift+${key}`)) || this.keys.get(key);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    const by = event.currentTarget !== this.view.canvas && ({ above: -1, below: 1 }[act] ?? FAR[act]);
    if (by) this.view.audit.step(by);
    else this.view.act(act);
  }
}
