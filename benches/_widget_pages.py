"""JavaScript of `widget.py`: the same spans for every contender, and what each makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from theus_nb.timeline.assets import markup

if TYPE_CHECKING:
    from playwright.sync_api import Page

TRAITS: Final = {"height": 280, "markup": markup()}
"""What the page may ask of the widget."""

SPANS: Final = """
window.spansOf = count => {
  const columns = Array.from({length: 5}, () => new Float64Array(count));
  const process = new Uint32Array(count), lane = new Uint32Array(count);
  const status = new Uint8Array(count), free = new Float64Array(8);
  const cpu = new Uint8Array(count).fill(60);
  let seed = 7;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let i = 0; i < count; i++) {
    const onLoop = i % 2 === 0, worker = (i >> 1) % 8;
    const start = onLoop ? i * 1e6 + 1 : Math.max(free[worker], i * 1e6) + random() * 1e6;
    const end = start + (onLoop ? random() * 24e6 : random() * 12e6);
    if (!onLoop) free[worker] = end;
    columns[0][i] = i + 1; columns[2][i] = start; columns[3][i] = start; columns[4][i] = end;
    process[i] = i % 2; lane[i] = onLoop ? 2 : 3 + worker; status[i] = random() < .002 ? 4 : 3;
  }
  const lanes = ['loop', ...Array.from({length: 8}, (_, i) => `worker ${i + 1}`)];
  return {count, columns, process, lane, status, cpu, lanes, names: ['fetch', 'crunch', ...lanes]};
};
window.frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
// What every callback of a frame takes, whoever asked for it.
window.script = 0;
const request = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = what => request(time => {
  const began = performance.now();
  try { what(time); } finally { window.script += performance.now() - began; }
});
// The part of time that is in view at a step, from 0 to 1: in, to and fro, and out again.
window.windowAt = step => {
  const zoom = Math.min(step, 40, Math.abs(80 - step) ), wide = 0.9 ** zoom;
  const from = (1 - wide) * (0.5 + 0.3 * Math.sin(step / 3));
  return [from, from + wide];
};
"""

OURS: Final = """
async ([source, css, count]) => {
  document.body.innerHTML = '<style>' + css + '</style><div id="at" style="width:1100px"></div>';
  const module = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
  let hear;
  const model = {get: name => traits[name] ?? {}, on: (_, f) => { hear = f; },
    send: () => {}};
  const widget = module.default();
  widget.initialize({model});
  widget.render({el: document.getElementById('at')});
  const {columns, process, lane, status, cpu, names} = spansOf(count);
  const packed = new Blob([...columns, process, lane, status, cpu]);
  const bytes = new Uint8Array(await packed.arrayBuffer());
  await frame();
  const began = performance.now();
  hear({op: 'frame', frame: 1, now: count * 1e6, rows: count, reads: 0, lost: 0, names, lags: [],
    blocked: [], first_name: 0, anew: true, lines: [], audit: null, lag: null}, [bytes.buffer]);
  const canvas = document.querySelector('.tn-canvas');
  do await frame(); while (Number(canvas.dataset.spans) < count);
  const first = performance.now() - began;
  window.change = i => {
    const zoom = i % 4 < 2, back = i % 160 >= 80;
    canvas.dispatchEvent(new WheelEvent('wheel', {ctrlKey: zoom, bubbles: true, cancelable: true,
      deltaX: zoom ? 0 : (i % 8 < 4 ? 60 : -60), deltaY: zoom ? (back ? 9 : -9) : 0}));
  };
  return first;
}
"""
"""The shipped front end; the spans come as a frame from a kernel would."""

VIS: Final = """
async ([source, css, count]) => {
  document.body.innerHTML = '<style>' + css + '</style><div id="at" style="width:1100px"></div>';
  await new Promise((done, failed) => {
    const script = Object.assign(document.createElement('script'), {onload: done, onerror: failed,
      src: URL.createObjectURL(new Blob([source], {type: 'text/javascript'}))});
    document.head.append(script);
  });
  const {columns: [, , , starts, ends], process, lane, lanes, names} = spansOf(count);
  await frame();
  const began = performance.now();
  const items = Array.from({length: count}, (_, i) => ({id: i, group: lane[i] - 2,
    start: starts[i] / 1e6, end: ends[i] / 1e6, content: names[process[i]]}));
  const timeline = new vis.Timeline(document.getElementById('at'), new vis.DataSet(items),
    new vis.DataSet(lanes.map((content, id) => ({id, content}))),
    {stack: false, height: 360, start: 0, end: count, showCurrentTime: false});
  await new Promise(done => timeline.once('changed', done));
  await frame();
  window.change = i => timeline.setWindow(...windowAt(i % 80).map(part => part * count),
    {animation: false});
  return performance.now() - began;
}
"""
"""vis-timeline, without stacking, which would cost it most."""

BOKEH: Final = """
async ([source, css, count]) => {
  document.body.innerHTML = '<div id="at" style="width:1100px"></div>';
  await new Promise((done, failed) => {
    const script = Object.assign(document.createElement('script'), {onload: done, onerror: failed,
      src: URL.createObjectURL(new Blob([source], {type: 'text/javascript'}))});
    document.head.append(script);
  });
  const {columns: [, , , starts, ends], process, lane} = spansOf(count);
  await frame();
  const began = performance.now();
  const plot = Bokeh.Plotting.figure({width: 1100, height: 360, output_backend: 'canvas',
    tools: 'xpan,xwheel_zoom', x_range: [0, count], y_range: [-1, 10]});
  const colours = ['#2a659f', '#0b7a75'];
  plot.rect({x: {field: 'x'}, y: {field: 'y'}, width: {field: 'w'}, height: 0.8,
    color: {field: 'c'}, line_color: null, source: new Bokeh.ColumnDataSource({data: {
      x: starts.map((start, i) => (start + ends[i]) / 2e6), y: Float64Array.from(lane),
      w: starts.map((start, i) => (ends[i] - start) / 1e6),
      c: Array.from(process, one => colours[one])}})});
  await Bokeh.Plotting.show(plot, document.getElementById('at'));
  await frame();
  window.change = i => {
    const [start, end] = windowAt(i % 80);
    plot.x_range.setv({start: start * count, end: end * count});
  };
  return performance.now() - began;
}
"""
"""Bokeh, as Dask's task stream draws: one rectangle glyph on its canvas backend."""


def prepare(page: Page) -> None:
    """Put what every contender needs on an empty page."""
    page.goto("about:blank")
    page.evaluate(SPANS)
    page.evaluate("traits => { window.traits = traits; }", TRAITS)
