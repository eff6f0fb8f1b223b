// Alerts: those that fire first, then what was.

import { usePages } from "../answer.js";
import { useCollection } from "../collection.js";
import { html, useEffect } from "../html.js";
import { labels, number, plural } from "../format.js";
import { listen } from "../live.js";
import { Choice, Failure, Heading, Panel, Placeholder, State, Table } from "../parts/basics.js";
import { AlertActions, AlertTags } from "../parts/alert-actions.js";
import { isOwn, isQuiet } from "../problems.js";
import { alerts } from "../resources.js";
import { linkTo, setSearch } from "../router.js";
import { At, Since, span } from "../time.js";

const ORDER = ["critical", "error", "warning", "info"];

export function Alerts({ search }) {
  useCollection(alerts, 10);
  const level = search.get("level") ?? "all";
  const all = alerts.values();
  const firing = all
    .filter((alert) => level === "all" || alert.level === level)
    .sort((a, b) => isQuiet(a) - isQuiet(b) || ORDER.indexOf(a.level) - ORDER.indexOf(b.level) || b.id - a.id);
  return html`
    <${Heading} title="Alerts" sub=${`${plural(all.length, "alert")} firing`} />
    <div class="tools"><${Choice} label="Level" value=${level} options=${[["all", "All"], ...ORDER.map((one) => [one, one])]}
      onChange=${(value) => setSearch({ level: value === "all" ? "" : value })} /></div>
    <${Panel} title="Firing" className="flush">
      ${firing.length === 0
        ? html`<${Placeholder} collection=${alerts} what=${all.length ? "No alert of this level fires." : "No alert fires."} />`
        : html`<${Table} label="Firing alerts" columns=${FIRING} rows=${firing} rowKey=${({ id }) => id} rowClass=${(alert) => (isQuiet(alert) ? "quiet" : "")} />`}
    </${Panel}>
    <${History} level=${level} />`;
}

/** Those that are over, a page at a time. */
function History({ level }) {
  const { known, load, renew } = usePages("/v1/alerts", { state: "resolved", level: level === "all" ? "" : level, limit: 50 });
  useEffect(() => {
    load();
    return listen({ event: ({ kind }) => kind === "alert.resolved" && renew(), anew: renew });
  }, [level]);
  return html`<${Panel} title="Resolved" className="flush">
    <${Failure} error=${known.error} />
    ${known.items?.length === 0 && html`<p class="placeholder">${level === "all" ? "Nothing has been resolved yet." : "No alert of this level has been resolved."}</p>`}
    ${known.items?.length > 0 && html`<${Table} label="Resolved alerts" columns=${RESOLVED} rows=${known.items} rowKey=${({ id }) => id} most=${Infinity} />`}
    ${known.next && html`<p class="placeholder"><button type="button" class="button" onClick=${() => load(known.next)}>Older ones</button></p>`}
  </${Panel}>`;
}

const what = (alert) => html`<a class="name" href=${linkTo("alert", alert.id)}>${alert.metric_name || "alert"}</a>
  ${Object.keys(alert.labels).length > 0 && html`<br /><span class="sub name">${labels(alert.labels)}</span>`}`;

const FIRING = [
  ["Level", ({ level }) => html`<${State} state=${level} />`, "nowrap"],
  ["Alert", what, "name"],
  ["Message", (alert) => html`${alert.message}<${AlertTags} alert=${alert} />`, "wide"],
  ["Value", ({ metric_name: metric, value }) => !isOwn(metric) && number(value), "number"],
  ["For", ({ started_at: since }) => html`<${Since} at=${since} />`, "nowrap"],
  ["", (alert) => html`<${AlertActions} alert=${alert} />`, "acts"],
];

const RESOLVED = [
  ["Level", ({ level }) => html`<${State} state=${level} tone="off" />`, "nowrap"],
  ["Alert", what, "name"],
  ["Message", ({ message }) => message, "wide"],
  ["Began", ({ started_at: at }) => html`<${At} at=${at} />`, "nowrap"],
  ["Lasted", ({ started_at: from, resolved_at: to }) => span((Date.parse(to) - Date.parse(from)) / 1000), "nowrap"],
  ["Seen by", ({ acknowledged }) => acknowledged?.by ?? "", "name"],
];
