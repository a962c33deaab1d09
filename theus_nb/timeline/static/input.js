/** What pointer, wheel and keys do to a view. */
import { GUTTER, boxAt } from "./layout.js";
import { clip, duration } from "./format.js";
import { save } from "./other.js";
import { statusWords } from "./draw.js";

export class Input {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.pressed = { x: 0, y: 0, moved: false, mode: "" };
    this.view.part(".tn-bar").addEventListener("click", (event) => {
      const button = /** @type {HTMLElement} */ (event.target).closest("button");
      if (button) this.view.act(button.dataset.do ?? "");
    });
    const search = /** @type {HTMLInputElement} */ (this.view.part("[data-do=search]"));
    let found = 0;
    search.addEventListener("input", () => (found = 0));
    search.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" || !search.value) return;
      const ids = this.view.store.find(search.value, 1000);
      if (ids.length) this.view.select(ids[found++ % ids.length], true);
      this.view.part(".tn-hidden").textContent = `${ids.length} runs found`;
    });
    const choice = /** @type {HTMLSelectElement} */ (this.view.part("[data-do=export]"));
    choice.addEventListener("change", () => {
      save(choice.value, this.view.store, this.view.state.now(), this.view.canvas);
      choice.value = "";
    });
    this.view.canvas.addEventListener("keydown", (event) => this.key(event));
    this.view.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.view.canvas.addEventListener("pointerdown", (event) => {
      this.pressed = { x: event.offsetX, y: event.offsetY, moved: false, mode: event.shiftKey ? "range" : "pan" };
      this.view.painter.range = null;
      this.view.canvas.setPointerCapture(event.pointerId);
    });
    this.view.canvas.addEventListener("pointermove", (event) => this.pointer(event));
    this.view.canvas.addEventListener("pointerleave", () => (this.view.part(".tn-tip").textContent = ""));
    this.view.canvas.addEventListener("click", (event) => this.click(event));
    this.view.map.addEventListener("pointerdown", (event) => this.jump(event));
    this.view.map.addEventListener("pointermove", (event) => event.buttons & 1 && this.jump(event));
  }

  jump(/** @type {PointerEvent} */ event) {
    const { store, window } = this.view;
    const now = Math.max(this.view.state.now(), store.last);
    const at = store.first + (event.offsetX / this.view.map.clientWidth) * (now - store.first);
    this.view.move(() => window.pan((at - (window.from + window.to) / 2) / window.scale));
  }

  pointer(/** @type {PointerEvent} */ event) {
    const { painter, store, state, window } = this.view;
    const { pressed } = this;
    if (event.buttons & 1) {
      const by = event.offsetX - pressed.x;
      if (!pressed.moved && Math.abs(by) < 3 && Math.abs(event.offsetY - pressed.y) < 3) return;
      pressed.moved = true;
      if (pressed.mode === "range") {
        painter.range = [window.time(pressed.x), window.time(event.offsetX)];
        this.view.ask();
        return;
      }
      this.view.scroll = Math.max(0, this.view.scroll - (event.offsetY - pressed.y));
      this.view.move(() => window.pan(-by));
      Object.assign(pressed, { x: event.offsetX, y: event.offsetY });
      return;
    }
    const id = painter.hit(event.offsetX, event.offsetY);
    const tip = this.view.part(".tn-tip");
    const at = window.time(event.offsetX);
    const held = event.offsetY < (painter.boxes[1]?.top ?? 0) && painter.blocked.find((one) => one.from <= at && at <= one.to);
    tip.textContent = id < 0 ? (held ? `loop blocked ${duration(held.to - held.from)} · ${clip(held.where, 200)}` : "") : `${clip(store.name(id), 120)} · r${store.run.data[id]} · ${statusWords(store.status.data[id])} · ${duration(store.end(id, state.now()) - store.begin(id))}`;
    tip.style.left = `${Math.min(event.offsetX + 14, window.width - 240)}px`;
    tip.style.top = `${this.view.canvas.offsetTop + event.offsetY + 16}px`;
    if (painter.pointed !== id) {
      painter.pointed = id;
      this.view.ask();
    }
  }

  click(/** @type {MouseEvent} */ event) {
    if (this.pressed.moved) return;
    const found = boxAt(this.view.painter.boxes, event.offsetY);
    if (found?.box.foldable && (event.offsetX < GUTTER || found.box.dense)) {
      const { name } = found.box;
      if (!this.view.opened.delete(name)) this.view.opened.add(name);
      this.view.ask();
      return;
    }
    this.view.select(this.view.painter.hit(event.offsetX, event.offsetY));
  }

  wheel(/** @type {WheelEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      event.preventDefault();
      const factor = Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.01);
      this.view.move(() => this.view.window.zoom(factor, event.offsetX));
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      this.view.move(() => this.view.window.pan(event.deltaX));
    }
  }

  key(/** @type {KeyboardEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const middle = (this.view.window.width + GUTTER) / 2;
    /** @type {Record<string, () => void>} */ const keys = {
      w: () => this.view.move(() => this.view.window.zoom(1 / 1.3, middle)),
      s: () => this.view.move(() => this.view.window.zoom(1.3, middle)),
      a: () => this.view.move(() => this.view.window.pan(-90)),
      d: () => this.view.move(() => this.view.window.pan(90)),
      "0": () => this.view.act("fit"),
      f: () => this.view.act("follow"),
      c: () => this.view.act("cancel"),
      o: () => this.view.fold(),
      ArrowLeft: () => this.view.step(-1, false),
      ArrowRight: () => this.view.step(1, false),
      ArrowUp: () => this.view.step(-1, true),
      ArrowDown: () => this.view.step(1, true),
      Escape: () => this.view.select(-1),
    };
    keys["+"] = keys["="] = keys.w;
    keys["-"] = keys.s;
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }
}
