// One breaker: how it is, why, who failed, what was done to it.

import { useAnswer } from "../answer.js";
import { at, get, query } from "../api.js";
import { useCollection } from "../collection.js";
import { html } from "../html.js";
import { count, percent, words } from "../format.js";
import { breakerHistory, useHistory } from "../history.js";
import { Bars, describe, worst } from "../parts/bars.js";
import { Facts, Failure, Heading, Meter, Panel, State, Table } from "../parts/basics.js";
import { BreakerActions } from "../parts/breaker-actions.js";
import { Rate, Until } from "../parts/breaker-tile.js";
import { configuration } from "../parts/configuration.js";
import { Switch } from "../parts/switch.js";
import { causeText } from "../problems.js";
import { breakers } from "../resources.js";
import { At, Since, useNow } from "../time.js";

const SLOTS = 120;

export function Breaker({ parts: [, name] }) {
  useCollection(breakers, 2);
  useHistory(breakerHistory);
  const now = useNow();
  const breaker = breakers.items.get(name);
  // Newest first, read anew after each.
  const { answer, error } = useAnswer(() => get(query(at("/v1/breakers", name, "transitions"), { limit: 100 })), [name, breaker?.generation]);
  const transitions = answer?.items;
  if (!breaker) {
    return html`<${Heading} title=${name} />
      <p class="placeholder">${breakers.loadedAt ? "There is no breaker of this name." : "Loading…"} <a href="#/breakers">All breakers</a></p>`;
  }
  const slots = breakerHistory.slots(name, SLOTS, breaker.state, breaker.state_changed_at, worst, now);
  const last = transitions?.[0];
  return html`
    <p class="crumb"><a href="#/breakers">Breakers</a></p>
    <${Heading} title=${name}><${BreakerActions} breaker=${breaker} /></${Heading}>
    <div class=${`detail-state ${breaker.state}`}>
      <${Switch} state=${breaker.state} />
      <div>
        <p class="big"><strong>${words(breaker.state)}</strong> for <${Since} at=${breaker.state_changed_at} /></p>
        ${last && html`<p>${causeText(last.cause, last)}${last.actor && ` by ${last.actor}`}${last.reason && `: ${last.reason}`}</p>`}
        <p class="until"><${Until} breaker=${breaker} now=${now} /></p>
      </div>
      <div class="gauges"><${Rate} breaker=${breaker} />${breaker.slow_call_rate !== null && html`<${Slow} breaker=${breaker} />`}</div>
      <div class="hour"><p class="label">Last hour</p><${Bars} slots=${slots} label=${describe(slots, "last hour")} /></div>
    </div>
    <div class="columns">
      <${Panel} title="Calls"><${Facts} facts=${facts(breaker)} /></${Panel}>
      <${Panel} title="Failing clients"><${Reporters} breaker=${breaker} opened=${transitions?.find(({ to }) => to === "open")} /></${Panel}>
      <${Panel} title="Configuration"><${Facts} facts=${configuration(breaker.config)} /></${Panel}>
    </div>
    <${Panel} title="Transitions" className="flush">
      <${Failure} error=${error} />
      ${transitions?.length === 0 && html`<p class="placeholder">It has never changed its state.</p>`}
      ${transitions?.length > 0 && html`<${Table} label="Transitions" columns=${COLUMNS} rows=${transitions} rowKey=${(row) => row.id} />`}
    </${Panel}>`;
}

function Slow({ breaker }) {
  const limit = breaker.config.window?.slow_call_rate ?? 1;
  const text = `${percent(breaker.slow_call_rate)} slow, limit ${percent(limit)}`;
  return html`<span class="rate"><${Meter} share=${breaker.slow_call_rate} mark=${limit} tone=${breaker.slow_call_rate >= limit ? "bad" : "good"}
    label=${text} /><span class="figure">${text}</span></span>`;
}

function facts({ metrics, in_flight: running }) {
  return [
    ["Total", count(metrics.total_calls)], ["Succeeded", count(metrics.success_calls)], ["Failed", count(metrics.failure_calls)],
    ["Refused", count(metrics.rejected_calls)], ["Slow", count(metrics.slow_calls)], ["Ignored", count(metrics.ignored_calls)],
    ["Success rate", metrics.total_calls ? percent(metrics.success_rate) : "–"], ["Running now", count(running)],
  ];
}

function Reporters({ breaker, opened }) {
  const { reporters, threshold, config } = breaker;
  if (!reporters.length) {
    const named = breaker.state === "closed" ? [] : opened?.reporters?.filter(Boolean) ?? [];
    return named.length ? html`<p>Opened by failures of <span class="name">${named.join(", ")}</span>.</p>` : html`<p class="sub">None fails now.</p>`;
  }
  return html`<ul class="reporters">${reporters.map(({ client, failures }) => html`<li key=${client}>
      <span class="name">${client || "without a name"}</span>
      <${Meter} share=${failures / threshold} tone=${failures >= threshold ? "bad" : "warn"} label=${`${failures} of ${threshold}`} />
      <span class="figure">${failures} of ${threshold}</span></li>`)}</ul>
    ${config.min_reporters > 1 && html`<p class="hint">Opens when ${config.min_reporters} clients have reached it.</p>`}`;
}

const COLUMNS = [
  ["When", (row) => html`<${At} at=${row.at} />`, "nowrap"],
  ["From", (row) => words(row.from), "nowrap"],
  ["To", (row) => html`<${State} state=${row.to} />`, "nowrap"],
  ["Cause", (row) => causeText(row.cause, row)],
  ["By", (row) => row.actor ?? row.reporters?.filter(Boolean).join(", ") ?? "", "name"],
  ["Reason", (row) => row.reason ?? ""],
  ["Failures", (row) => (row.failure_rate !== null ? percent(row.failure_rate) : count(row.failure_count)), "number"],
  ["Calls until then", (row) => count(row.metrics.total_calls), "number"],
];
