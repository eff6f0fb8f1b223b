// One schedule and its runs.

import { useAnswer } from "../answer.js";
import { at, get, query } from "../api.js";
import { useCollection } from "../collection.js";
import { html } from "../html.js";
import { words } from "../format.js";
import { Facts, Failure, Heading, Json, Panel, State, Table } from "../parts/basics.js";
import { RunSchedule } from "../parts/schedule-actions.js";
import { schedules } from "../resources.js";
import { Ago, At, span } from "../time.js";
import { action, timing } from "./schedules.js";

export function Schedule({ parts: [, name] }) {
  useCollection(schedules, 10);
  const schedule = schedules.items.get(name);
  const version = JSON.stringify([schedule?.last_run, schedule?.running]);
  const { answer, error } = useAnswer(() => get(query(at("/v1/schedules", name, "runs"), { limit: 100 })), [name, version]);
  const runs = answer?.items;
  if (!schedule) {
    return html`<${Heading} title=${name} />
      <p class="placeholder">${schedules.loadedAt ? "There is no schedule of this name." : "Loading…"} <a href="#/schedules">All schedules</a></p>`;
  }
  const { config } = schedule;
  return html`
    <p class="crumb"><a href="#/schedules">Schedules</a></p>
    <${Heading} title=${name} sub=${config.description}><${RunSchedule} name=${name} /></${Heading}>
    <div class="columns">
      <${Panel} title="Plan"><${Facts} facts=${[
        ["Does", action(schedule)], ["When", timing(schedule)], ["Turned on", config.enabled === false ? "no" : "yes"],
        ["If missed", words(config.misfire ?? "skip")], ["If still running", words(config.overlap ?? "forbid")],
      ]} /></${Panel}>
      <${Panel} title="Next runs">
        ${schedule.upcoming.length === 0 ? html`<p class="sub">None.</p>`
          : html`<ol>${schedule.upcoming.map((at) => html`<li key=${at}><${At} at=${at} /> <span class="sub"><${Ago} at=${at} /></span></li>`)}</ol>`}
      </${Panel}>
      <${Panel} title="Last output"><${Output} run=${runs?.[0]} /></${Panel}>
    </div>
    <${Panel} title="Runs" className="flush">
      <${Failure} error=${error} />
      ${runs?.length === 0 && html`<p class="placeholder">It has not run yet.</p>`}
      ${runs?.length > 0 && html`<${Table} label="Runs" columns=${COLUMNS} rows=${runs} rowKey=${({ id }) => id} />`}
    </${Panel}>`;
}

function Output({ run }) {
  if (!run || run.output === null) return html`<p class="sub">None.</p>`;
  return html`<${Json} value=${run.output} label=${`Output of run ${run.id}`} />`;
}

function took({ started_at: from, finished_at: to }) {
  if (!from || !to) return "";
  const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
  return seconds < 10 ? `${seconds.toFixed(2)} s` : span(seconds);
}

const COLUMNS = [
  ["Run", ({ id }) => id, "number"],
  ["Status", ({ status }) => html`<${State} state=${status} />`, "nowrap"],
  ["Due", ({ scheduled_for: at }) => html`<${At} at=${at} />`, "nowrap"],
  ["Began", ({ started_at: at }) => html`<${At} at=${at} />`, "nowrap"],
  ["Took", took, "number"],
  ["Set off by", ({ trigger, actor }) => [words(trigger), actor].filter(Boolean).join(", "), "nowrap"],
  ["Output", ({ output, missed }) => (missed ? `${missed.count} missed` : output === null ? "" : JSON.stringify(output).slice(0, 200)), "wide name"],
];
