/** The audit entries as a table: only the rows on the screen exist. */
import { clip } from "./format.js";
import { element } from "./details.js";

const ROW = 22;
const KEPT = 20_000;

/** @typedef {{seq: number, ts: string, mono: number, kind: string, run?: string, process?: string, lane?: string, detail?: Record<string, unknown>}} Entry */

/** @typedef {{ok: boolean | null, words: string, text: string}} Verdict */

/** @param {string} line @returns {Entry | null} */
export function parseEntry(line) {
  try {
    const entry = JSON.parse(line);
    return entry && typeof entry.seq === "number" ? entry : null;
  } catch {
    return null;
  }
}

/** @param {Entry} entry @param {string} kind @param {string} text */
export function matchesEntry(entry, kind, text) {
  return (!kind || entry.kind === kind) && (!text || JSON.stringify([entry.seq, entry.kind, entry.run, entry.process, entry.detail]).toLowerCase().includes(text.toLowerCase()));
}

export class AuditTable {
  /** @param {HTMLElement} root @param {(entry: Entry) => void} choose @param {() => Promise<Verdict>} verify */
  constructor(root, choose, verify) {
    this.root = root;
    this.choose = choose;
    /** @type {Entry[]} */ this.entries = [];
    /** @type {Entry[]} */ this.shown = [];
    this.run = "";
    this.follow = true;
    this.kind = /** @type {HTMLSelectElement} */ (root.querySelector("select"));
    this.text = /** @type {HTMLInputElement} */ (root.querySelector("input"));
    this.scroll = /** @type {HTMLElement} */ (root.querySelector(".tn-scroll"));
    this.space = /** @type {HTMLElement} */ (root.querySelector(".tn-space"));
    this.chip = /** @type {HTMLElement} */ (root.querySelector("[data-part=log]"));
    const verdict = /** @type {HTMLElement} */ (root.querySelector("[data-part=verdict]"));
    /** @type {HTMLElement} */ (root.querySelector("button")).onclick = async () => {
      verdict.textContent = "verifying…";
      const { ok, words, text } = await verify();
      verdict.textContent = words;
      verdict.title = text;
      verdict.classList.toggle("tn-warn", !ok);
    };
    this.kind.onchange = this.text.oninput = () => this.filter();
    this.top = 0;
    this.scroll.onscroll = () => {
      // What is taken off the page for a moment is scrolled to its begin.
      if (!this.scroll.clientHeight) return;
      this.top = this.scroll.scrollTop;
      this.follow = this.scroll.scrollTop + this.scroll.clientHeight > this.scroll.scrollHeight - ROW;
      this.paint();
    };
    this.scroll.onclick = (event) => {
      const row = /** @type {HTMLElement} */ (event.target).closest("[data-seq]");
      const entry = row && this.entries.find((one) => one.seq === Number(row.getAttribute("data-seq")));
      if (entry) this.choose(entry);
    };
    this.state(null);
  }

  /** @param {[number, number, number] | null} position */
  state(position) {
    const [next, synced, dropped] = position ?? [0, -1, 0];
    const durable = synced >= 0 ? `durable to #${synced}` : "in memory";
    this.chip.textContent = position
      ? `${next} entries · ${durable}${dropped ? ` · ⚠ ${dropped} dropped` : ""}`
      : "audit: not available";
    this.chip.classList.toggle("tn-warn", dropped > 0);
  }

  /** @param {string[]} lines */
  add(lines) {
    let fresh = false;
    for (const line of lines) {
      const entry = parseEntry(line);
      const last = this.entries.at(-1);
      if (!entry || (last && entry.seq <= last.seq)) continue;
      this.entries.push(entry);
      fresh = true;
      if (![...this.kind.options].some((option) => option.value === entry.kind)) {
        this.kind.add(new Option(entry.kind, entry.kind));
      }
    }
    this.entries.splice(0, this.entries.length - KEPT);
    if (fresh) this.filter();
  }

  /** Highlight what belongs to a run, and go there. @param {string} run */
  mark(run) {
    this.run = run;
    const at = this.shown.findIndex((entry) => entry.run === run);
    if (at >= 0) {
      this.follow = false;
      this.scroll.scrollTop = Math.max(0, (at - 1) * ROW);
    }
    this.paint();
  }

  filter() {
    const [kind, text] = [this.kind.value, this.text.value];
    this.shown = this.entries.filter((entry) => matchesEntry(entry, kind, text));
    this.paint();
  }

  paint() {
    const { shown, scroll } = this;
    this.space.style.height = `${shown.length * ROW}px`;
    if (this.follow) scroll.scrollTop = shown.length * ROW;
    const first = Math.max(0, Math.floor(scroll.scrollTop / ROW) - 2);
    const rows = shown.slice(first, first + Math.ceil((scroll.clientHeight || 160) / ROW) + 4);
    this.space.replaceChildren(...rows.map((entry, i) => this.row(entry, (first + i) * ROW)));
    this.root.dataset.entries = String(this.entries.length);
  }

  /** @param {Entry} entry @param {number} top */
  row(entry, top) {
    const row = element("div", "", entry.run && entry.run === this.run ? "tn-row tn-marked" : "tn-row");
    row.setAttribute("role", "row");
    row.dataset.seq = String(entry.seq);
    row.style.top = `${top}px`;
    const words = [`#${entry.seq}`, entry.ts?.slice(11, 23), entry.kind, entry.run, entry.process, JSON.stringify(entry.detail)];
    for (const word of words) {
      const cell = element("span", clip(String(word ?? ""), 160));
      cell.setAttribute("role", "cell");
      row.append(cell);
    }
    return row;
  }
}
