// Events, and what they say in a sentence.

import { html } from "../html.js";
import { words } from "../format.js";
import { causeText } from "../problems.js";
import { linkTo } from "../router.js";
import { At } from "../time.js";
import { State } from "./basics.js";

function hrefOf(event) {
  if (event.kind.endsWith(".deleted") || event.kind === "backup.pruned") return null;
  // These events bear the name of a type.
  if (event.resource === "backup") return event.data?.backup_id ? linkTo("backup", event.data.backup_id) : null;
  return linkTo(event.resource, event.name);
}

const SENTENCES = {
  "breaker.transition": ({ from, cause, actor, reason, failure_count }) => [
    `from ${words(from)}`, causeText(cause, { failure_count }), actor && `by ${actor}`, reason],
  "check.changed": ({ from, was_stale, message }) => [`from ${was_stale ? "stale" : from}`, message],
  "gate.refused": ({ blocking, blocking_count }) => [
    blocking?.[0] && `${blocking[0].name}: ${blocking[0].message}`, blocking_count > 1 && `and ${blocking_count - 1} more`],
  "maintenance_window.created": ({ config }) => [config.comment, config.created_by && `by ${config.created_by}`],
  "threshold.updated": ({ config }) => [config.enabled === false ? "switched off" : ""],
  "maintenance_window.updated": ({ config }) => [config.enabled === false ? "switched off" : "", config.comment],
  "limiter.penalized": ({ retry_after_seconds, actor, reason }) => [
    retry_after_seconds !== undefined && `everybody waits ${retry_after_seconds} s`, actor && `by ${actor}`, reason],
};

/** What an event says, as text. */
function sentence({ kind, data }) {
  const parts = SENTENCES[kind]?.(data ?? {}) ?? [data?.message, data?.reason, data?.comment, data?.actor && `by ${data.actor}`];
  return parts.filter(Boolean).join(", ");
}

/** What came out of it, if it is a state. */
function outcome({ kind, data }) {
  if (kind === "breaker.transition") return data.to;
  if (kind === "check.changed") return data.stale ? "stale" : data.to;
  if (kind.startsWith("alert.")) return data?.state === "resolved" ? "resolved" : data?.level;
  if (kind.startsWith("schedule.run_")) return kind.slice("schedule.run_".length).replace("started", "running");
  return null;
}

function title(event) {
  if (event.resource === "backup") return event.data?.backup_id ?? event.name;
  if (event.resource === "silence") return event.data?.matchers?.join(", ") ?? event.name;
  return event.resource === "alert" ? event.data?.metric_name ?? event.name : event.name;
}

/** `events` are null as long as they are not read. */
export function EventList({ events, empty = "Nothing has happened yet." }) {
  if (!events) return html`<p class="placeholder" aria-busy="true">Loading…</p>`;
  if (!events.length) return html`<p class="placeholder">${empty}</p>`;
  return html`<ol class="events">
    ${events.map((event) => {
      const href = hrefOf(event);
      const state = outcome(event);
      return html`<li key=${event.id}>
        <${At} at=${event.at} />
        <span class="kind">${words(event.kind).replace(".", " ")}</span>
        <span class="name">${href ? html`<a href=${href}>${title(event)}</a>` : title(event)}</span>
        <span class="outcome">${state && html`<${State} state=${state} />`}</span>
        <span class="said">${sentence(event)}</span>
      </li>`;
    })}
  </ol>`;
}
