// Alerts: those that fire first, then what was.

import { get, query } from "../api.js";
import { useCollection } from "../collection.js";
import { html, useEffect, useState } from "../html.js";
import { labels, number, plural } from "../format.js";
import { listen } from "../live.js";
import { Choice, Failure, Heading, Panel, Placeholder, State, Table, Tag } from "../parts/basics.js";
import { AlertActions } from "../parts/alert-actions.js";
import { alerts } from "../resources.js";
import { link, setSearch } from "../router.js";
import { At, Since, span } from "../time.js";

const ORDER = ["critical", "error", "warning", "info"];

export function Alerts({ search }) {
  useCollection(alerts, 10);
  const level = search.get("level") ?? "all";
  const firing = alerts.values()
    .filter((alert) => level === "all" || alert.level === level)
    .sort((a, b) => quiet(a) - quiet(b) || ORDER.indexOf(a.level) - ORDER.indexOf(b.level) || b.id - a.id);
  return html`
    <${Heading} title="Alerts" sub=${`${plural(firing.length, "alert")} firing`} />
    <div class="tools"><${Choice} label="Level" value=${level} options=${[["all", "All"], ...ORDER.map((one) => [one, one])]}
      onChange=${(value) => setSearch({ level: value === "all" ? "" : value })} /></div>
    <${Panel} title="Firing" className="flush">
      ${firing.length === 0
        ? html`<${Placeholder} collection=${alerts} what="No alert fires." />`
        : html`<${Table} label="Firing alerts" columns=${FIRING} rows=${firing} rowKey=${({ id }) => id} rowClass=${(alert) => (quiet(alert) ? "quiet" : "")} />`}
    </${Panel}>
    <${History} level=${level} />`;
}

const quiet = (alert) => Boolean(alert.acknowledged || alert.silenced_by?.length || alert.muted_by?.length);

/** Those that are over, a page at a time. */
function History({ level }) {
  const [known, setKnown] = useState({ items: null, next: null });
  const [round, setRound] = useState(0);
  const load = async (cursor) => {
    const path = query("/v1/alerts", { state: "resolved", level: level === "all" ? "" : level, limit: 50, cursor });
    try {
      const page = await get(path);
      setKnown((was) => ({ items: cursor ? [...was.items, ...page.items] : page.items, next: page.next_cursor }));
    } catch (error) {
      setKnown((was) => ({ ...was, error }));
    }
  };
  useEffect(() => { load(); }, [level, round]);
  useEffect(() => listen({
    event: ({ kind }) => kind === "alert.resolved" && setRound((n) => n + 1),
    anew: () => setRound((n) => n + 1),
  }), []);
  return html`<${Panel} title="Resolved" className="flush">
    <${Failure} error=${known.error} />
    ${known.items?.length === 0 && html`<p class="placeholder">Nothing has been resolved yet.</p>`}
    ${known.items?.length > 0 && html`<${Table} label="Resolved alerts" columns=${RESOLVED} rows=${known.items} rowKey=${({ id }) => id} />`}
    ${known.next && html`<p class="placeholder"><button type="button" class="button" onClick=${() => load(known.next)}>Older ones</button></p>`}
  </${Panel}>`;
}

const what = (alert) => html`<a class="name" href=${link("alerts", String(alert.id))}>${alert.metric_name || "alert"}</a>
  ${Object.keys(alert.labels).length > 0 && html`<br /><span class="sub name">${labels(alert.labels)}</span>`}`;

const FIRING = [
  ["Level", ({ level }) => html`<${State} state=${level} />`, "nowrap"],
  ["Alert", what, "name"],
  ["Message", (alert) => html`${alert.message}
    ${alert.acknowledged && html`<br /><${Tag} title=${alert.acknowledged.comment}>acknowledged by ${alert.acknowledged.by}${alert.acknowledged.comment && `: ${alert.acknowledged.comment}`}</${Tag}>`}
    ${alert.silenced_by?.length > 0 && html` <${Tag}>silenced</${Tag}>`}
    ${alert.muted_by?.length > 0 && html` <${Tag}>maintenance: ${alert.muted_by.join(", ")}</${Tag}>`}`, "wide"],
  ["Value", ({ value }) => number(value), "number"],
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
