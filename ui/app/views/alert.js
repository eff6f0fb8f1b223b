// One alert: what it says, what happened to it.

import { useAnswer } from "../answer.js";
import { at, get } from "../api.js";
import { html } from "../html.js";
import { labels, number } from "../format.js";
import { AlertActions } from "../parts/alert-actions.js";
import { Facts, Failure, Heading, Panel, State } from "../parts/basics.js";
import { EventList } from "../parts/event-list.js";
import { isOwn } from "../problems.js";
import { alerts } from "../resources.js";
import { linkTo } from "../router.js";
import { At, Since } from "../time.js";

export function AlertDetail({ parts: [, id] }) {
  const { answer, error } = useAnswer(
    () => Promise.all([get(at("/v1/alerts", id)), get(at("/v1/alerts", id, "events"))]),
    [id],
    (event) => (event.resource === "alert" && event.name === id) || event.resource === "silence",
  );
  const [alert, events] = answer ?? [];
  if (!alert) {
    return html`<${Heading} title=${`Alert ${id}`} /><p class="placeholder">${error?.message ?? "Loading…"} <a href="#/alerts">All alerts</a></p>`;
  }
  const firing = alert.state === "firing";
  const known = alerts.items.get(alert.id) ?? alert;
  return html`
    <p class="crumb"><a href="#/alerts">Alerts</a></p>
    <${Heading} title=${alert.metric_name || `Alert ${id}`}>${firing && html`<${AlertActions} alert=${known} />`}</${Heading}>
    <${Failure} error=${error} />
    <${Panel}>
      <p class="big"><${State} state=${alert.level} tone=${firing ? undefined : "off"} />
        ${firing ? html` firing for <${Since} at=${alert.started_at} />` : html` resolved <${At} at=${alert.resolved_at} />`}</p>
      <p class="said">${alert.message}</p>
    </${Panel}>
    <div class="columns">
      <${Panel} title="What"><${Facts} facts=${[
        ["Value", isOwn(alert.metric_name) ? null : number(alert.value)],
        ["Threshold", isOwn(alert.metric_name) || alert.details.threshold === null ? null : `${alert.details.comparison} ${number(alert.details.threshold)}`],
        ["Rule", alert.threshold_id && html`<a class="name" href=${linkTo("threshold", alert.threshold_id)}>${alert.threshold_id}</a>`], ["Labels", labels(alert.labels) || "none"],
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
    <${Panel} title="What happened to it" className="flush"><${EventList} events=${events.items} empty="Nothing is kept of it." /></${Panel}>`;
}

const SUBJECTS = ["breaker", "check", "schedule", "backup"];

/** What the board says about itself has a view. */
function subject(alert) {
  if (!isOwn(alert.metric_name)) return null;
  const label = SUBJECTS.find((name) => alert.labels[name]);
  return label && html`<a href=${linkTo(label, alert.labels[label])}>${label} ${alert.labels[label]}</a>`;
}
