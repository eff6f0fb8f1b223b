// One check: how it is, its results, its configuration.

import { useAnswer } from "../answer.js";
import { at, get, query } from "../api.js";
import { useCollection } from "../collection.js";
import { html } from "../html.js";
import { number } from "../format.js";
import { checkHistory, useHistory } from "../history.js";
import { Bars, describe, worst } from "../parts/bars.js";
import { Facts, Failure, Heading, Json, Panel, State, Table } from "../parts/basics.js";
import { RunCheck } from "../parts/check-actions.js";
import { configuration } from "../parts/configuration.js";
import { checks } from "../resources.js";
import { Ago, At, Since, useNow } from "../time.js";
import { shows } from "./checks.js";

const SLOTS = 144;

export function Check({ parts: [, name] }) {
  useCollection(checks, 10);
  useHistory(checkHistory);
  const now = useNow();
  const check = checks.items.get(name);
  // Newest first, read anew after each.
  const { answer, error } = useAnswer(() => get(query(at("/v1/checks", name, "results"), { limit: 100 })), [name, check?.timestamp]);
  const results = answer?.items;
  if (!check) {
    return html`<${Heading} title=${name} />
      <p class="placeholder">${checks.loadedAt ? "There is no check of this name." : "Loading…"} <a href="#/checks">All checks</a></p>`;
  }
  const slots = checkHistory.slots(name, SLOTS, shows(check), check.changed_at, worst, now);
  return html`
    <p class="crumb"><a href="#/checks">Checks</a></p>
    <${Heading} title=${name} sub=${check.config.description}><${RunCheck} check=${check} /></${Heading}>
    <${Panel}>
      <p class="big"><${State} state=${shows(check)} /> for <${Since} at=${check.changed_at} /></p>
      <p class="said">${check.message}</p>
      ${check.error && html`<p class="failure">${check.error}</p>`}
      <p class="label day-label">Last 24 hours</p>
      <${Bars} slots=${slots} label=${describe(slots, "last 24 hours")} className="tall" />
    </${Panel}>
    <div class="columns">
      <${Panel} title="Now"><${Facts} facts=${facts(check)} /></${Panel}>
      <${Panel} title="Configuration"><${Facts} facts=${configuration(check.config)} /></${Panel}>
      ${Object.keys(check.details ?? {}).length > 0 && html`<${Panel} title="Details"><${Json} value=${check.details} label="Details" /></${Panel}>`}
    </div>
    <${Panel} title="Results" className="flush">
      <${Failure} error=${error} />
      ${results?.length === 0 && html`<p class="placeholder">There is no result yet.</p>`}
      ${results?.length > 0 && html`<${Table} label="Results" columns=${COLUMNS} rows=${results} rowKey=${({ id }) => id} />`}
    </${Panel}>`;
}

function facts(check) {
  return [
    ["Kind", check.kind], ["Critical", check.critical ? "yes" : "no"],
    ["Last result", check.timestamp ? html`<${Ago} at=${check.timestamp} />` : "none"],
    ["Next run", check.next_run_at && html`<${Ago} at=${check.next_run_at} />`],
    ["Late", check.late_at && html`<${Ago} at=${check.late_at} />`],
    ["In a row", `${check.consecutive_successes} good, ${check.consecutive_failures} bad`],
    ["Took", check.duration_seconds !== null ? `${number(check.duration_seconds)} s` : null],
    ["Changes", number(check.changes)],
  ];
}

const COLUMNS = [
  ["When", ({ timestamp }) => html`<${At} at=${timestamp} />`, "nowrap"],
  ["Status", ({ status }) => html`<${State} state=${status} />`, "nowrap"],
  ["Message", ({ message, error }) => error || message, "wide"],
  ["Took", ({ duration_seconds: took }) => (took === null ? "" : `${number(took)} s`), "number"],
];
