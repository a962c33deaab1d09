/** What is known of the selected run, in words. */
import { clip, duration, laneTitle } from "./format.js";
import { statusWords } from "./draw.js";

/** @param {string} tag @param {string} text @param {string} [name] */
export function element(tag, text, name) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}

/**
 * @param {import("./store.js").Store} store @param {number} id @param {number} now
 * @returns {[string, string][]}
 */
export function facts(store, id, now) {
  const { submitted, started, ended, parent, run } = store;
  const number = run.data[id];
  /** @type {[string, string][]} */ const list = [
    ["status", statusWords(store.status.data[id])],
    ["lane", laneTitle(store.laneOf[id]?.name ?? "waiting")],
  ];
  if (parent.data[id]) list.push(["parent", `r${parent.data[id]}`]);
  const begun = started.data[id];
  list.push(["waited", duration((begun || store.end(id, now)) - submitted.data[id])]);
  if (begun) list.push([ended.data[id] ? "took" : "has taken", duration(store.end(id, now) - begun)]);
  const read = store.reads.filter((one) => one.reader === number).slice(0, 20);
  const given = store.reads.filter((one) => one.writer === number).slice(0, 20);
  if (read.length) list.push(["read", read.map((one) => `${store.names[one.path]} v${one.writer}`).join(", ")]);
  if (given.length) list.push(["read by", [...new Set(given.map((one) => `r${one.reader}`))].join(", ")]);
  return list;
}

/**
 * @param {HTMLElement} pane @param {import("./store.js").Store} store @param {number} id
 * @param {number} now @param {Record<string, any> | null} more what the kernel knows
 */
export function showDetails(pane, store, id, now, more) {
  pane.replaceChildren();
  if (id < 0) {
    pane.append(element("p", "Select a run to see what it read, wrote and waited for.", "tn-faint"));
    return;
  }
  pane.append(element("h3", `${clip(store.name(id), 80)} · r${store.run.data[id]}`));
  const list = document.createElement("dl");
  const told = facts(store, id, now);
  for (const [key, word] of /** @type {[string, string][]} */ ([
    ["waits_for", "waits for"], ["inputs", "inputs"], ["outputs", "outputs"], ["side_effects", "side effects"],
  ])) {
    if (more?.[key]?.length) told.push([word, more[key].join(", ")]);
  }
  for (const [key, value] of told) list.append(element("dt", key), element("dd", clip(value, 400)));
  pane.append(list);
  if (more?.source) {
    const source = document.createElement("details");
    source.append(element("summary", "source"), element("pre", more.source));
    pane.append(source);
  }
}
