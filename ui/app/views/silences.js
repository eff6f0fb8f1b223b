// Of which alerts nobody is told: silences, and maintenance windows.

import { at, remove } from "../api.js";
import { useCollection } from "../collection.js";
import { html } from "../html.js";
import { plural } from "../format.js";
import { silence } from "../parts/alert-actions.js";
import { Action, Heading, Panel, Placeholder, State, Table } from "../parts/basics.js";
import { act } from "../parts/dialog.js";
import { Matchers } from "../parts/matchers.js";
import { WindowActions, declareWindow, isOver } from "../parts/window-actions.js";
import { alerts, maintenanceWindows, silences } from "../resources.js";
import { Ago, At, span } from "../time.js";

const ORDER = ["active", "pending", "expired"];

export function Silences() {
  useCollection(silences, 15);
  useCollection(maintenanceWindows, 15);
  const all = silences.values().sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (a.id < b.id ? 1 : -1));
  const windows = maintenanceWindows.values()
    .sort((a, b) => RANKS.indexOf(stateOf(a)) - RANKS.indexOf(stateOf(b)) || (a.name < b.name ? -1 : 1));
  const active = all.filter(({ state }) => state === "active").length;
  const open = windows.filter((one) => one.is_open).length;
  return html`
    <${Heading} title="Silences" sub=${`${plural(active, "silence")} active, ${plural(open, "maintenance window")} open`}>
      <${Action} tone="primary" onClick=${() => silence([])}>New silence</${Action}>
      <${Action} onClick=${declareWindow}>New maintenance window</${Action}></${Heading}>
    <${Panel} title="Silences" className="flush">
      ${all.length === 0
        ? html`<${Placeholder} collection=${silences} what="There is no silence." hint="A silence holds back for a while what people are told of some alerts." />`
        : html`<${Table} label="Silences" columns=${COLUMNS} rows=${all} rowKey=${({ id }) => id} rowClass=${({ state }) => (state === "expired" ? "quiet" : "")} />`}
    </${Panel}>
    <${Panel} title="Maintenance windows" className="flush">
      ${windows.length === 0
        ? html`<${Placeholder} collection=${maintenanceWindows} what="There is no maintenance window." hint="A maintenance window does so at times that are planned, once or again and again." />`
        : html`<${Table} label="Maintenance windows" columns=${WINDOWS} rows=${windows} rowKey=${({ name }) => name}
            rowClass=${(one) => (stateOf(one) === "open" || stateOf(one) === "planned" ? "" : "quiet")} />`}
    </${Panel}>`;
}

function expire(one) {
  act({
    title: "End the silence", text: one.matchers.join(", "), button: "End it", tone: "danger",
    run: async () => {
      await remove(at("/v1/silences", one.id));
      silences.look(true);
      alerts.look(true);
      return "The silence is over";
    },
  });
}

const RANKS = ["open", "planned", "switched off", "over"];
const WINDOW_TONES = { open: "note", planned: "off", "switched off": "off", over: "off" };

function stateOf(one) {
  if (one.is_open) return "open";
  if (isOver(one)) return "over";
  return one.config.enabled ? "planned" : "switched off";
}

/** What comes next, and when it is open as it was declared. */
function When({ window: { is_open: open, closes_at: closes, opens_at: opens, config } }) {
  const next = open ? html`closes <${Ago} at=${closes} /><br />` : opens ? html`opens <${Ago} at=${opens} /><br />` : "";
  if (!config.cron) return html`${next}<span class="sub"><${At} at=${config.starts_at} /> to <${At} at=${config.ends_at} /></span>`;
  return html`${next}<span class="sub"><span class="name">${config.cron}</span><br />${config.timezone}, ${span(config.duration_seconds)} each time</span>`;
}

const COLUMNS = [
  ["State", ({ state }) => html`<${State} state=${state} />`, "nowrap"],
  ["Matchers", ({ matchers }) => html`<${Matchers} matchers=${matchers} />`, "wide"],
  ["Why", ({ comment }) => comment, "wide"],
  ["By", ({ created_by: by }) => by, "name"],
  ["Begins", ({ starts_at: at }) => html`<${At} at=${at} />`, "nowrap"],
  ["Ends", ({ ends_at: at }) => html`<${Ago} at=${at} />`, "nowrap"],
  ["", (one) => one.state !== "expired" && html`<${Action} label=${`End the silence ${one.matchers.join(", ")}`} onClick=${() => expire(one)}>End</${Action}>`, "acts"],
];

const WINDOWS = [
  ["State", (one) => html`<${State} state=${stateOf(one)} tone=${WINDOW_TONES[stateOf(one)]} />`, "nowrap"],
  ["Window", ({ name }) => name, "name"],
  ["Matchers", ({ config }) => html`<${Matchers} matchers=${config.matchers} />`, "wide"],
  ["Why", ({ config }) => config.comment, "said"],
  ["By", ({ config }) => config.created_by, "name"],
  ["When", (one) => html`<${When} window=${one} />`, "nowrap"],
  ["", (one) => html`<${WindowActions} window=${one} />`, "acts"],
];
