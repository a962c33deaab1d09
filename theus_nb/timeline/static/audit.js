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
    return Number.isInteger(entry.seq) ? entry : null;
  } catch {
    return null;
  }
}

/** @param {Entry} entry @param {string} kind @param {string} process @param {string} text */
export function matchesEntry(entry, kind, process, text) {
  return (!kind || entry.kind === kind) && (!process || entry.process === process) && (!text || JSON.stringify([entry.seq, entry.kind, entry.run, entry.process, entry.detail]).toLowerCase().includes(text.toLowerCase()));
}

export class AuditTable {
  /** @param {HTMLElement} root @param {(entry: Entry) => void} choose @param {() => Promise<Verdict>} verify */
  constructor(root, choose, verify) {
    this.root = root;
    this.choose = choose;
    /** @type {Entry[]} */ this.entries = [];
    /** @type {Entry[]} */ this.shown = [];
    this.run = "";
    /** Of the row where the keys are. */ this.id = `tn${Math.random()}`;
    /** Its entry. @type {Entry | undefined} */ this.entry = undefined;
    this.follow = true;
    const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (root.querySelector(selector));
    this.choices = [...root.querySelectorAll("select")];
    /** What can be chosen. */ this.known = new Set();
    this.text = /** @type {HTMLInputElement} */ (part("input"));
    this.scroll = part(".tn-scroll");
    this.space = part(".tn-space");
    this.chip = part("[data-part=log]");
    const verdict = part("[data-part=verdict]");
    part("button").onclick = async () => {
      verdict.textContent = "verifying…";
      const { ok, words, text } = await verify();
      verdict.textContent = words;
      verdict.title = text;
      verdict.classList.toggle("tn-warn", !ok);
    };
    root.oninput = () => this.filter();
    this.top = 0;
    this.scroll.onscroll = () => {
      const { clientHeight, scrollTop, scrollHeight } = this.scroll;
      // What is taken off the page for a moment is scrolled to its begin.
      if (!clientHeight) return;
      this.top = scrollTop;
      this.follow = scrollTop + clientHeight > scrollHeight - ROW;
      this.paint();
    };
  }

  /** @param {[number, number, number] | null} position */
  state(position) {
    if (!position) return;
    const [next, synced, dropped] = position;
    this.chip.textContent = `${next} entries · ${synced < 0 ? "in memory" : `durable to #${synced}`}${dropped ? ` · ⚠ ${dropped} dropped` : ""}`;
    this.chip.classList.toggle("tn-warn", dropped > 0);
  }

  /** @param {string[]} lines */
  add(lines) {
    for (const line of lines) {
      const entry = parseEntry(line);
      const last = this.entries.at(-1);
      if (!entry || (last && entry.seq <= last.seq)) continue;
      this.entries.push(entry);
      for (const choice of this.choices) {
        const value = entry[/** @type {"kind" | "process"} */ (choice.name)];
        if (!value || this.known.has(choice.name + value)) continue;
        this.known.add(choice.name + value);
        choice.add(new Option(clip(value, 40), value));
      }
    }
    this.entries.splice(0, this.entries.length - KEPT);
    if (lines.length) this.filter();
  }

  /** Highlight what belongs to a run, and go there; nothing if it is empty. @param {string} run */
  mark(run) {
    this.run = run;
    if (run && this.entry?.run !== run) this.reveal(this.shown.find((entry) => entry.run === run), Infinity);
    this.paint();
  }

  /** Go to an entry, and scroll no more than that needs. @param {Entry | undefined} entry @param {number} [from] infinite: it comes first */
  reveal(entry, from = this.scroll.scrollTop) {
    this.entry = entry;
    if (!entry) return;
    this.follow = false;
    const top = this.shown.indexOf(entry) * ROW;
    // Between the head, which covers a row, and the lower edge.
    this.scroll.scrollTop = Math.min(top, Math.max(from, top + 2 * ROW - this.scroll.clientHeight));
  }

  /** Go to another entry, as far as there are any; the first time to the last one. @param {number} by entries that are shown */
  step(by) {
    const { shown } = this;
    const at = shown.indexOf(/** @type {Entry} */ (this.entry));
    const entry = shown.at(at < 0 ? -1 : Math.max(0, Math.min(at + by, shown.length - 1)));
    if (entry) this.go(entry);
  }

  /** Whoever chooses an entry marks what belongs to its run. @param {Entry} entry */
  go(entry) {
    // Before what is there is painted.
    this.reveal(entry);
    this.choose(entry);
    this.scroll.setAttribute("aria-activedescendant", this.id);
  }

  filter() {
    const [kind, process] = this.choices.map(({ value }) => value);
    this.shown = this.entries.filter((entry) => matchesEntry(entry, kind, process, this.text.value));
    this.paint();
  }

  paint() {
    const { shown, scroll } = this;
    this.space.style.height = `${shown.length * ROW}px`;
    if (this.follow) scroll.scrollTop = shown.length * ROW;
    const first = Math.max(0, Math.floor(scroll.scrollTop / ROW) - 2);
    const rows = shown.slice(first, first + Math.ceil((scroll.clientHeight || 160) / ROW) + 4);
    this.space.replaceChildren(...rows.map((entry, i) => this.row(entry, (first + i) * ROW)));
  }

  /** @param {Entry} entry @param {number} top */
  row(entry, top) {
    const row = element("div", "", entry.run && entry.run === this.run ? "tn-row tn-marked" : "tn-row");
    row.role = "row";
    row.style.top = `${top}px`;
    row.onclick = () => this.go(entry);
    if (entry === this.entry) {
      row.id = this.id;
      row.classList.add("tn-at");
      row.ariaSelected = "true";
    }
    const words = [`#${entry.seq}`, entry.ts?.slice(11, 23), entry.kind, entry.run, entry.process, JSON.stringify(entry.detail)];
    for (const word of words) {
      const cell = element("span", clip(String(word ?? ""), 160));
      cell.role = "gridcell";
      row.append(cell);
    }
    return row;
  }
}
