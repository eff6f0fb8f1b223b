// One alert: what it says, what happened to it.

import { at, get } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { labels, number } from "../format.js";
import { listen } from "../live.js";
import { AlertActions } from "../parts/alert-actions.js";
import { Facts, Heading, Panel, State } from "../parts/basics.js";
import { EventList } from "../parts/event-list.js";
import { alerts } from "../resources.js";
import { link } from "../router.js";
import { At, Since } from "../time.js";

export function AlertDetail({ parts: [, id] }) {
  const { alert, events, error } = useAlert(id);
  if (!alert) {
    return html`<${Heading} title=${`Alert ${id}`} /><p class="placeholder">${error?.message ?? "Loading…"} <a href="#/alerts">All alerts</a></p>`;
  }
  const firing = alert.state === "firing";
  const known = alerts.items.get(alert.id) ?? alert;
  return html`
    <p class="crumb"><a href="#/alerts">Alerts</a></p>
    <${Heading} title=${alert.metric_name || `Alert ${id}`}>${firing && html`<${AlertActions} alert=${known} />`}</${Heading}>
    <${Panel}>
      <p class="big"><${State} state=${alert.level} tone=${firing ? undefined : "off"} />
        ${firing ? html` firing for <${Since} at=${alert.started_at} />` : html` resolved <${At} at=${alert.resolved_at} />`}</p>
      <p class="said">${alert.message}</p>
    </${Panel}>
    <div class="columns">
      <${Panel} title="What"><${Facts} facts=${[
        ["Value", number(alert.value)],
        ["Threshold", alert.details.threshold === null ? null : `${alert.details.comparison} ${number(alert.details.threshold)}`],
        ["Rule", alert.threshold_id], ["Labels", labels(alert.labels) || "none"],
        ["Comes from", alert.source === "external" ? "outside" : "a threshold"],
        ["Began", html`<${At} at=${alert.started_at} />`],
        ["Resolved", alert.resolved_at && html`<${At} at=${alert.resolved_at} />`],
        ["More", subject(alert)],
      ]} /></${Panel}>
      <${Panel} title="Seen"><${Facts} facts=${[
        ["Acknowledged", alert.acknowledged ? html`by ${alert.acknowledged.by} at <${At} at=${alert.acknowledged.at} />` : "not yet"],
        ["Comment", alert.acknowledged?.comment],
        ["Silenced by", alert.silenced_by?.join(", ")], ["Maintenance", alert.muted_by?.join(", ")],
        ...Object.entries(alert.annotations ?? {}),
      ]} /></${Panel}>
    </div>
    <${Panel} title="What happened to it" className="flush"><${EventList} events=${events ?? []} empty="Nothing is kept of it." /></${Panel}>`;
}

const SUBJECTS = { breaker: "breakers", check: "checks", schedule: "schedules", backup: "backups" };

/** What the board says about itself has a view. */
function subject(alert) {
  if (!alert.metric_name.startsWith("fuseboard_")) return null;
  const label = Object.keys(SUBJECTS).find((name) => alert.labels[name]);
  return label && html`<a href=${link(SUBJECTS[label], alert.labels[label])}>${label} ${alert.labels[label]}</a>`;
}

function useAlert(id) {
  const [known, setKnown] = useState({});
  useEffect(() => {
    let here = true;
    const load = async () => {
      try {
        const [alert, { items }] = await Promise.all([get(at("/v1/alerts", id)), get(at("/v1/alerts", id, "events"))]);
        if (here) setKnown({ alert, events: items });
      } catch (error) {
        if (here) setKnown((was) => ({ ...was, error }));
      }
    };
    load();
    const stop = listen({
      event: (event) => ((event.resource === "alert" && event.name === id) || event.resource === "silence") && load(),
      anew: load,
    });
    return () => { here = false; stop(); };
  }, [id]);
  return known;
}
