// Thresholds: what makes numbers alerts, how far off it is, and what fires.

import { at, edit } from "../api.js";
import { useCollection } from "../collection.js";
import { html } from "../html.js";
import { count, labels, matches, number, plural } from "../format.js";
import { Action, Choice, Filter, Heading, Panel, Placeholder, State, Table, Tag } from "../parts/basics.js";
import { act, doNow } from "../parts/dialog.js";
import { isOwn } from "../problems.js";
import { alerts, thresholds } from "../resources.js";
import { linkTo, setSearch } from "../router.js";
import { Since, span } from "../time.js";

const STATES = ["firing", "pending", "ok", "off"];
/** Of one that fires for many series, so many alerts are named. */
const MOST_ALERTS = 3;

export function Thresholds({ search }) {
  useCollection(thresholds, 5);
  useCollection(alerts, 10);
  const wanted = search.get("q") ?? "";
  const state = search.get("state") ?? "all";
  const all = thresholds.values();
  const found = all
    .filter((one) => matches(`${one.metric_name} ${one.id} ${one.config.description ?? ""}`, wanted) && (state === "all" || stateOf(one) === state))
    .sort((a, b) => STATES.indexOf(stateOf(a)) - STATES.indexOf(stateOf(b)) || order(a.metric_name, b.metric_name) || order(a.id, b.id));
  const counts = Object.fromEntries(STATES.map((one) => [one, all.filter((threshold) => stateOf(threshold) === one).length]));
  return html`
    <${Heading} title="Thresholds" sub=${`${plural(all.length, "threshold")}, ${count(counts.firing)} firing`} />
    <div class="tools">
      <${Filter} value=${wanted} placeholder="Filter by metric or id" onInput=${(q) => setSearch({ q })} />
      <${Choice} label="State" value=${state} onChange=${(value) => setSearch({ state: value === "all" ? "" : value })}
        options=${[["all", "All", count(all.length)], ...STATES.filter((one) => counts[one]).map((one) => [one, one, count(counts[one])])]} />
    </div>
    <${Panel} className="flush">
      ${found.length === 0
        ? html`<${Placeholder} collection=${thresholds} what=${all.length ? "No threshold is like that." : "There is no threshold yet."}
            hint=${all.length ? null : "Declare one with POST /v1/thresholds."} />`
        : html`<${Table} label="Thresholds" columns=${COLUMNS} rows=${found} rowKey=${({ id }) => id} rowClass=${({ enabled }) => (enabled ? "" : "quiet")} />`}
    </${Panel}>`;
}

const order = (a, b) => (a < b ? -1 : Number(a > b));

function stateOf({ enabled, firing, pending }) {
  if (!enabled) return "off";
  return firing ? "firing" : pending ? "pending" : "ok";
}

function Shown({ threshold }) {
  const { level, firing, pending } = threshold;
  const state = stateOf(threshold);
  if (state === "off") return html`<${State} state="off" text="switched off" />`;
  if (state === "ok") return html`<${State} state="ok" tone="good" />`;
  if (state === "pending") return html`<${State} state="pending" text=${`pending ${count(pending)}`} />`;
  return html`<${State} state=${level} text=${`firing ${count(firing)}`} />`;
}

/** What it is for, and what fires because of it. */
function says(threshold) {
  const { description } = threshold.config;
  if (!description && !threshold.firing) return null;
  return html`${description && html`<p class="sub">${description}</p>`}<${Firing} threshold=${threshold} />`;
}

function Firing({ threshold: { id, firing } }) {
  if (!firing) return null;
  const its = alerts.values().filter((alert) => alert.threshold_id === id).sort((a, b) => b.id - a.id);
  const more = firing - Math.min(its.length, MOST_ALERTS);
  return html`<ul class="firing">
    ${its.slice(0, MOST_ALERTS).map((alert) => html`<li key=${alert.id}><a href=${linkTo("alert", alert.id)}>${alert.message || alert.metric_name}</a>
      <span class="sub"> for <${Since} at=${alert.started_at} /></span></li>`)}
    ${more > 0 && html`<li><a href="#/alerts">${count(more)} more</a></li>`}</ul>`;
}

function now({ metric_name: metric, enabled, nearest }) {
  if (isOwn(metric) || !enabled) return null;
  if (!nearest) return html`<span class="none">no value</span>`;
  const which = labels(nearest.labels);
  return html`${number(nearest.value)}${which && html`<br /><span class="sub name">${which}</span>`}`;
}

/** When it is an alert. */
function rule({ metric_name: metric, config }) {
  return [
    isOwn(metric) ? "" : `${config.comparison} ${number(config.threshold)}`,
    config.for_seconds ? `for ${span(config.for_seconds)}` : "",
    Object.keys(config.labels ?? {}).length ? `with ${labels(config.labels)}` : "",
  ].filter(Boolean).join(" ");
}

async function enable({ id }, enabled) {
  thresholds.put(await edit(at("/v1/thresholds", id), (config) => ({ ...config, enabled })));
  alerts.look(true);
}

function switchOff(threshold) {
  act({
    title: `Switch ${threshold.metric_name} off`, text: "It looks at nothing until it is switched on again, and its alerts are resolved.",
    button: "Switch off", tone: "danger",
    run: async () => {
      await enable(threshold, false);
      return `${threshold.metric_name} is switched off`;
    },
  });
}

function Acts({ threshold }) {
  const { id, enabled, metric_name: metric } = threshold;
  if (enabled) return html`<${Action} label=${`Switch off ${id}`} onClick=${() => switchOff(threshold)}>Switch off</${Action}>`;
  return html`<${Action} label=${`Switch on ${id}`}
    onClick=${() => doNow(async () => { await enable(threshold, true); return `${metric} is switched on`; })}>Switch on</${Action}>`;
}

const COLUMNS = [
  ["State", (threshold) => html`<${Shown} threshold=${threshold} />`, "nowrap"],
  ["Threshold", (threshold) => html`<span class="strong">${threshold.metric_name}</span>${" "}
    ${threshold.id.startsWith("builtin.") && html`<${Tag} title=${threshold.id}>built in</${Tag}>`}<br /><span class="sub">${rule(threshold)}</span>`, "name"],
  ["Now", now, "number"],
  ["Level", ({ level, enabled }) => html`<${State} state=${level} tone=${enabled ? undefined : "off"} />`, "nowrap"],
  ["Says", says, "wide"],
  ["", (threshold) => html`<${Acts} threshold=${threshold} />`, "acts"],
];
