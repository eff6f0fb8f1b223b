// Schedules: what ran last, what runs next.

import { useCollection } from "../collection.js";
import { html } from "../html.js";
import { plural, words } from "../format.js";
import { Heading, Panel, Placeholder, State, Table } from "../parts/basics.js";
import { RunSchedule } from "../parts/schedule-actions.js";
import { schedules } from "../resources.js";
import { link } from "../router.js";
import { Ago, span } from "../time.js";

export function Schedules() {
  useCollection(schedules, 10);
  const all = schedules.values();
  return html`
    <${Heading} title="Schedules" sub=${plural(all.length, "schedule")} />
    <${Panel} className="flush">
      ${all.length === 0
        ? html`<${Placeholder} collection=${schedules} what="There is no schedule yet." hint="Declare one with PUT /v1/schedules/{name}." />`
        : html`<${Table} label="Schedules" columns=${COLUMNS} rows=${all} rowKey=${({ name }) => name} />`}
    </${Panel}>`;
}

/** When it runs, as it was declared. */
export function timing({ config }) {
  if (config.cron) return `${config.cron} (${config.timezone ?? "UTC"})`;
  return config.interval_seconds ? `every ${span(config.interval_seconds)}` : "only by hand";
}

/** What it does. */
export function action({ config: { action: { kind, backup_type: type, url } } }) {
  return [words(kind), type, url].filter(Boolean).join(" ");
}

const COLUMNS = [
  ["Schedule", ({ name }) => html`<a href=${link("schedules", name)}>${name}</a>`, "name"],
  ["Does", (schedule) => action(schedule), "said"],
  ["When", (schedule) => timing(schedule), "name"],
  ["Last run", ({ last_run: run, running }) => (running.length
    ? html`<${State} state="running" />`
    : run ? html`<${State} state=${run.status} /> <span class="sub"><${Ago} at=${run.finished_at ?? run.scheduled_for} short=${true} /></span>` : html`<span class="none">not yet</span>`), "nowrap"],
  ["Next run", ({ next_run_at: at, config }) => (config.enabled === false
    ? html`<${State} state="off" text="turned off" />` : at ? html`<${Ago} at=${at} />` : html`<span class="none">none</span>`), "nowrap"],
  ["", ({ name }) => html`<${RunSchedule} name=${name} />`, "acts"],
];
