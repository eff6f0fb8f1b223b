// Silences: of which alerts nobody is told.

import { at, remove } from "../api.js";
import { useCollection } from "../collection.js";
import { html } from "../html.js";
import { plural } from "../format.js";
import { silence } from "../parts/alert-actions.js";
import { Action, Heading, Panel, Placeholder, State, Table } from "../parts/basics.js";
import { act } from "../parts/dialog.js";
import { alerts, silences } from "../resources.js";
import { Ago, At } from "../time.js";

const ORDER = ["active", "pending", "expired"];

export function Silences() {
  useCollection(silences, 15);
  const all = silences.values().sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (a.id < b.id ? 1 : -1));
  const active = all.filter(({ state }) => state === "active").length;
  return html`
    <${Heading} title="Silences" sub=${`${plural(active, "silence")} active`}>
      <${Action} tone="primary" onClick=${() => silence([])}>New silence</${Action}></${Heading}>
    <${Panel} className="flush">
      ${all.length === 0
        ? html`<${Placeholder} collection=${silences} what="There is no silence." />`
        : html`<${Table} label="Silences" columns=${COLUMNS} rows=${all} rowKey=${({ id }) => id} rowClass=${({ state }) => (state === "expired" ? "quiet" : "")} />`}
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

const COLUMNS = [
  ["State", ({ state }) => html`<${State} state=${state} />`, "nowrap"],
  ["Matchers", ({ matchers }) => matchers.map((matcher) => html`<span class="matcher name" key=${matcher}>${matcher}</span>`), "wide"],
  ["Comment", ({ comment }) => comment, "wide"],
  ["By", ({ created_by: by }) => by, "name"],
  ["Begins", ({ starts_at: at }) => html`<${At} at=${at} />`, "nowrap"],
  ["Ends", ({ ends_at: at }) => html`<${Ago} at=${at} />`, "nowrap"],
  ["", (one) => one.state !== "expired" && html`<${Action} label=${`End the silence ${one.matchers.join(", ")}`} onClick=${() => expire(one)}>End</${Action}>`, "acts"],
];
