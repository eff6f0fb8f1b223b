// Lines over time, drawn by uPlot, which is loaded when the first plot is.

import { html, useEffect, useRef, useState } from "../html.js";
import { number } from "../format.js";
import { theme } from "../themes.js";
import { useStore } from "../store.js";
import { clock } from "../time.js";
import { Failure } from "./basics.js";

const HEIGHT = 260;
const LEAST_SECONDS = 60;
/** Told apart by colours, `--series-1` to the last, and by dashes as well. */
const DASHES = [[], [], [], [], [6, 3], [6, 3], [6, 3], [2, 3]];

let loading = null;

function load() {
  loading ??= (async () => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("../../vendor/uplot.css", import.meta.url).href;
    document.head.append(style);
    return (await import("../../vendor/uplot.js")).default;
  })();
  loading.catch(() => { loading = null; });
  return loading;
}

/** `points` are `[seconds, values]`, a value for each of the `names`. */
export function Plot({ names, points, label }) {
  const box = useRef();
  const plot = useRef(null);
  const [uPlot, setUPlot] = useState(null);
  const chosen = useStore(theme);
  const [error, setError] = useState(null);
  useEffect(() => { load().then((loaded) => setUPlot(() => loaded), () => setError(new Error("The plot could not be loaded."))); }, []);
  useEffect(() => {
    if (!uPlot) return undefined;
    plot.current = new uPlot(options(names, box.current.clientWidth), columns(names, points), box.current);
    const sizes = new ResizeObserver(([{ contentRect }]) => plot.current.setSize({ width: contentRect.width, height: HEIGHT }));
    sizes.observe(box.current);
    return () => { sizes.disconnect(); plot.current.destroy(); };
  }, [uPlot, names.join("\n"), chosen]);
  useEffect(() => { plot.current?.setData(columns(names, points)); }, [points]);
  if (error) return html`<${Failure} error=${error} />`;
  return html`<div class="plot" role="img" aria-label=${label} ref=${box}></div>`;
}

function columns(names, points) {
  return [points.map(([time]) => time), ...names.map((_, i) => points.map(([, values]) => values[i]))];
}

/** A line of a few values is not seen without its points. */
const isShort = ({ data: [times] }) => times.length < 4;
/** Where nobody points at, the legend says the last value. */
const latest = (plot, value, line) => number(value ?? plot.data[line].at(-1));

function options(names, width) {
  const style = getComputedStyle(document.documentElement);
  // A variable may be light-dark(): what it is in this theme is known once it is somebody's colour.
  const probe = document.createElement("span");
  document.body.append(probe);
  const colour = (variable) => {
    probe.style.color = `var(${variable})`;
    return getComputedStyle(probe).color;
  };
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: `12px ${style.getPropertyValue("--font")}` };
  const series = names.map((name, i) => ({ label: name, stroke: colour(`--series-${i + 1}`), dash: DASHES[i], width: 1.5, spanGaps: true, points: { show: isShort }, value: latest }));
  probe.remove();
  // A single sample has no span of its own.
  const x = { range: ({ data: [times] }) => (times.length ? [Math.min(times[0], times.at(-1) - LEAST_SECONDS), times.at(-1)] : [0, 1]) };
  const time = { ...axis, space: 90, values: (_, splits) => splits.map((seconds) => clock(seconds * 1000)) };
  const when = { value: (plot, seconds) => clock((seconds ?? plot.data[0].at(-1) ?? 0) * 1000) };
  return { width, height: HEIGHT, scales: { x }, series: [when, ...series], axes: [time, { ...axis, size: 64 }], legend: { show: names.length > 1 || names[0] !== "" } };
}
