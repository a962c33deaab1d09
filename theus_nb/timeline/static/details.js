/** What is known of the selected run, in words, and what can be done with it. */
import { clip, duration } from "./format.js";
import { criticalPath } from "./path.js";
import { laneWords, statusWords } from "./draw.js";

/** @typedef {{facts: [string, string][], texts: [string, string][], cells: [number, string][]}} More what the kernel knows */

/** @param {string} tag @param {string} [text] @param {string} [name] */
export function element(tag, text = "", name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = name;
  return made;
}

/** A button that shows what came of it. @param {string} label @param {() => string | void | Promise<string | void>} act @param {string} [name] of its class */
function button(label, act, name) {
  const made = element("button", label, name);
  made.onclick = async () => {
    made.textContent = (await act()) || label;
  };
  return made;
}

/** @param {HTMLElement} block */
async function copy(block) {
  try {
    await navigator.clipboard.writeText(block.innerText);
    return "Copied";
  } catch {
    // No clipboard in this page: what is selected can be copied by hand, or by the older way.
    document.getSelection()?.selectAllChildren(block);
    return document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
  }
}

/** Show a cell, known by its prompt, or say that it is not here. @param {HTMLElement} root @param {number} cell */
function goToCell(root, cell) {
  const prompt = new RegExp(`^(In )?\\s*\\[${cell}\\]:?$`);
  const page = root.closest(".jp-Notebook") ?? root.ownerDocument.body;
  const found = [...page.querySelectorAll("[class*=rompt]")].find((one) => prompt.test(one.textContent?.trim() ?? ""));
  if (!found) return `Cell [${cell}] is not on this page`;
  (found.closest(".jp-Cell") ?? found).scrollIntoView({ block: "center" });
  return "";
}

/**
 * @param {import("./store.js").Store} store @param {number} id @param {number} now
 * @returns {[string, string][]}
 */
export function facts(store, id, now) {
  const { submitted, started, ended, parent, run } = store;
  const number = run.data[id];
  const begun = started.data[id];
  const read = store.reads.filter((one) => one.reader === number).slice(0, 20);
  const given = store.reads.filter((one) => one.writer === number).slice(0, 20);
  const path = [...criticalPath(store, id)].sort((a, b) => store.begin(a) - store.begin(b));
  return /** @type {[string, string][]} */ ([
    ["status", statusWords(store, id)],
    ["lane", laneWords(store, id)],
    ["parent", parent.data[id] ? `r${parent.data[id]}` : ""],
    ["waited", duration((begun || store.end(id, now)) - submitted.data[id])],
    [ended.data[id] ? "took" : "has taken", begun ? duration(store.end(id, now) - begun) : ""],
    ["read", [...new Set(read.map((one) => `${store.names[one.path]} v${one.writer}`))].join(", ")],
    ["read by", [...new Set(given.map((one) => `r${one.reader}`))].join(", ")],
    ["critical path", path.length > 1 ? path.map((one) => `${store.name(one)} (${store.label(one)})`).join(" → ") : ""],
  ]).filter(([, words]) => words);
}

/**
 * @param {import("./store.js").Store} store @param {number} id @param {number} now @param {More | null} more
 * @returns {HTMLElement[]} names and what is said under them
 */
export function factList(store, id, now, more) {
  return [...facts(store, id, now), ...(more?.facts ?? [])].flatMap(([key, value]) => [element("dt", key), element("dd", clip(value, 400))]);
}

/**
 * @param {HTMLElement} pane @param {import("./store.js").Store} store @param {number} id
 * @param {number} now @param {More | null} more @param {() => Promise<void>} again
 * @param {import("./audit.js").Entry} [entry] that was chosen, and the run with it
 */
export function showDetails(pane, store, id, now, more, again, entry) {
  pane.replaceChildren();
  if (id >= 0) {
    const list = element("dl");
    list.append(...factList(store, id, now, more));
    const acts = element("div", "", "tn-acts");
    acts.append(button("Run again", again, "tn-kernel"));
    pane.append(element("h3", `${clip(store.name(id), 80)} · ${store.label(id)}`), acts, list);
    for (const [cell, why] of more?.cells ?? []) acts.append(button(`Go to cell [${cell}] ${why}`, () => goToCell(pane, cell)));
  }
  const read = entry ? [[`entry #${entry.seq}`, JSON.stringify(entry, null, 1)]] : [];
  for (const [title, text] of read.concat(more?.texts ?? [])) {
    const block = /** @type {HTMLDetailsElement} */ (element("details"));
    const pre = element("pre", text);
    block.open = title !== "source";
    block.append(element("summary", title), pre, button(`Copy ${title}`, () => copy(pre)));
    pane.append(block);
  }
}
