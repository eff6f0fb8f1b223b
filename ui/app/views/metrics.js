// Metrics that clients push: what there is, and how it goes while one looks.

import { at, get } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { count, labels, matches, number } from "../format.js";
import { every } from "../pace.js";
import { Choice, Failure, Filter, Heading, MOST_ROWS, Panel, Rest, Table } from "../parts/basics.js";
import { Plot } from "../parts/plot.js";
import { setSearch } from "../router.js";
import { Ago } from "../time.js";

const LIST_MS = 10_000;
const POLL_MS = 2_000;
/** Half an hour of samples. */
const MOST_SAMPLES = 900;
/** More lines nobody tells apart. */
const MOST_LINES = 8;
const FIGURES = ["mean", "p50", "p95", "p99", "max", "count"];

export function Metrics({ search }) {
  const chosen = search.get("name");
  const wanted = search.get("q") ?? "";
  const { names, error } = useNames();
  const found = names?.filter(({ name }) => matches(name, wanted)) ?? [];
  return html`
    <${Heading} title="Metrics" sub=${names ? `${count(names.length)} pushed by clients` : "Loading…"} />
    <${Failure} error=${error} />
    <div class="explorer">
      <${Panel} className="flush">
        <div class="padded"><${Filter} value=${wanted} onInput=${(q) => setSearch({ q })} /></div>
        ${names && found.length === 0 && html`<p class="placeholder">${names.length ? "No metric is called that." : "Nobody has pushed a metric yet."}</p>`}
        <ul class="names">${found.slice(0, MOST_ROWS).map(({ name, kind }) => html`<li key=${name}>
          <button type="button" aria-pressed=${name === chosen} onClick=${() => setSearch({ name })}><span class="name">${name}</span> <span class="sub">${kind}</span></button></li>`)}</ul>
        <${Rest} all=${found} />
      </${Panel}>
      ${chosen ? html`<${Metric} key=${chosen} name=${chosen} />` : html`<p class="placeholder">Choose a metric to see its series.</p>`}
    </div>`;
}

function useNames() {
  const [known, setKnown] = useState({});
  useEffect(() => every(LIST_MS, async () => {
    try {
      const { counters, gauges, timers } = await get("/v1/metrics");
      const of = (map, kind) => Object.keys(map).map((name) => ({ name: name.replace(/\{.*$/, ""), kind }));
      const all = [...of(counters, "counter"), ...of(gauges, "gauge"), ...of(timers, "timer")];
      const once = [...new Map(all.map((one) => [one.name, one])).values()];
      setKnown({ names: once.sort((a, b) => (a.name < b.name ? -1 : 1)) });
    } catch (error) {
      setKnown((was) => ({ ...was, error }));
    }
  }), []);
  return known;
}

function Metric({ name }) {
  const { metric, samples, error } = useSamples(name);
  const [figure, setFigure] = useState("p95");
  const [rate, setRate] = useState("value");
  if (!metric) return html`<${Panel} title=${name}>${error ? html`<${Failure} error=${error} />` : "Loading…"}</${Panel}>`;
  const timer = metric.type === "timer";
  const lines = metric.series.slice(0, MOST_LINES);
  const points = samples.map(({ at: time, values }) => [time, lines.map((line) => pick(values.get(keyOf(line)), figure))]);
  const shown = rate === "rate" && metric.type === "counter" ? rates(points) : points;
  return html`<${Panel} title=${html`<span class="name">${name}</span>`} aside=${`${metric.type}, exposed as ${metric.exposed_as}`}>
    ${metric.help && html`<p class="sub">${metric.help}</p>`}
    <div class="tools">
      ${timer && html`<${Choice} label="Figure" value=${figure} options=${FIGURES.map((one) => [one, one])} onChange=${setFigure} />`}
      ${metric.type === "counter" && html`<${Choice} label="Shown as" value=${rate} options=${[["value", "value"], ["rate", "per second"]]} onChange=${setRate} />`}
    </div>
    <${Plot} names=${lines.map((line) => labels(line.labels) || name)} points=${shown} label=${`${name} since this view was opened`} />
    ${metric.series.length > MOST_LINES && html`<p class="sub">The first ${MOST_LINES} of ${count(metric.series.length)} series are drawn.</p>`}
    <${Failure} error=${error} />
    <${Table} label="Series" columns=${timer ? TIMERS : NUMBERS} rows=${metric.series} rowKey=${keyOf} />
  </${Panel}>`;
}

/** Not what is shown: a label may have a comma in it. */
const keyOf = ({ labels: its }) => JSON.stringify(its);

function pick(value, figure) {
  return value === undefined ? null : typeof value === "number" ? value : value[figure];
}

function rates(points) {
  return points.slice(1).map(([time, values], i) => {
    const [before, old] = points[i];
    return [time, values.map((value, j) => (value === null || old[j] === null ? null : Math.max(0, value - old[j]) / (time - before)))];
  });
}

function useSamples(name) {
  const [known, setKnown] = useState({ samples: [] });
  useEffect(() => every(POLL_MS, async () => {
    try {
      const metric = await get(at("/v1/metrics", name));
      const values = new Map(metric.series.map((one) => [keyOf(one), one.value]));
      setKnown(({ samples }) => ({ metric, samples: [...samples, { at: Date.now() / 1000, values }].slice(-MOST_SAMPLES) }));
    } catch (error) {
      setKnown((was) => ({ ...was, error }));
    }
  }), [name]);
  return known;
}

const series = ["Labels", (one) => labels(one.labels) || "none", "name"];
const updated = ["Updated", (one) => html`<${Ago} at=${one.updated_at} short=${true} />`, "nowrap"];
const NUMBERS = [series, ["Value", ({ value }) => number(value), "number"], updated];
const TIMERS = [series, ...["count", "mean", "p50", "p95", "p99", "max"].map((figure) => [figure, ({ value }) => number(value[figure]), "number"]), updated];
