// Routes as a table: those inside of others below them.

import { html } from "../html.js";
import { State, Table, Tag } from "./basics.js";
import { Matchers } from "./matchers.js";
import { span } from "../time.js";

/** Outermost ones in the order in which they are tried, each with those inside of it; what one does not say is of the one around it. */
export function rowsOf(routes) {
  const sorted = [...routes].sort((a, b) => (a.config.position ?? 0) - (b.config.position ?? 0) || (a.name < b.name ? -1 : 1));
  return sorted.flatMap(({ name, config, missing_receivers: missing }) => inner(config, { key: name, name, depth: 0, missing, around: {} }));
}

function inner(config, { key, name, depth, missing, around }) {
  const whole = { ...around, ...Object.fromEntries(TAKEN.filter((field) => config[field] !== undefined).map((field) => [field, config[field]])) };
  const row = { key, name, depth, missing, whole, own: config };
  return [row, ...(config.routes ?? []).flatMap((one, i) => inner(one, { key: `${key}/${i}`, depth: depth + 1, missing, around: whole }))];
}

/** What a route takes from the one around it. */
const TAKEN = ["receiver", "group_by", "group_wait_seconds", "group_interval_seconds", "repeat_interval_seconds"];

/** Whom it tells: its own receiver, or that of the route around it. */
function Tells({ row: { whole, missing } }) {
  const { receiver } = whole;
  if (!receiver) return html`<${State} state="nobody" tone="off" />`;
  if (missing.includes(receiver)) return html`<span class="name">${receiver}</span> <${State} state="missing" tone="bad" text="no such receiver" />`;
  return html`<span class="name">${receiver}</span>`;
}

function together({ whole: { group_by: by } }) {
  if (!by?.length) return "all of the route";
  return by[0] === "..." ? "each by itself" : by.join(", ");
}

function pace({ whole: { group_wait_seconds: wait = 30, group_interval_seconds: interval = 300, repeat_interval_seconds: repeat = 14400 } }) {
  return `after ${span(wait)}, changes every ${span(interval)}, again every ${span(repeat)}`;
}

const COLUMNS = [
  ["Route", ({ name, depth }) => html`<span class="route" style=${{ paddingLeft: `${depth * 18}px` }}>${name ?? html`<span class="sub">inside</span>`}</span>`, "name"],
  ["Matches", ({ own, depth }) => html`<${Matchers} matchers=${own.matchers} none=${depth ? "the rest of it" : "all alerts"} />`, "wide"],
  ["Tells", (row) => html`<${Tells} row=${row} />${row.own.continue && html` <${Tag} title="The routes after it are tried, too">goes on</${Tag}>`}`, "nowrap"],
  ["Together by", together, "said"],
  ["When", pace, "said"],
];

export function Routes({ routes }) {
  return html`<${Table} label="Routes" columns=${COLUMNS} rows=${rowsOf(routes)} rowKey=${({ key }) => key} />`;
}
