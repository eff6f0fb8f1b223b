// Retry policies: how much of the budget that all share is used.

import { useCollection } from "../collection.js";
import { html } from "../html.js";
import { count, matches, number, percent, plural, words } from "../format.js";
import { Filter, Heading, Meter, Panel, Placeholder, State, Table } from "../parts/basics.js";
import { retryPolicies } from "../resources.js";
import { setSearch } from "../router.js";
import { span } from "../time.js";

export function RetryPolicies({ search }) {
  useCollection(retryPolicies, 2);
  const wanted = search.get("q") ?? "";
  const all = retryPolicies.values();
  const found = all.filter(({ name }) => matches(name, wanted)).sort((a, b) => (a.name < b.name ? -1 : 1));
  return html`
    <${Heading} title="Retry policies" sub=${plural(all.length, "policy", "policies")} />
    <div class="tools"><${Filter} value=${wanted} onInput=${(q) => setSearch({ q })} /></div>
    <${Panel} className="flush">
      ${found.length === 0
        ? html`<${Placeholder} collection=${retryPolicies} what=${all.length ? "No policy is called that." : "There is no retry policy yet."}
            hint=${all.length ? null : "Declare one with PUT /v1/retry-policies/{name}."} />`
        : html`<${Table} label="Retry policies" columns=${COLUMNS} rows=${found} rowKey=${({ name }) => name} />`}
    </${Panel}>`;
}

/** Retries of the window, out of those that calls and time allow in it. */
function budget({ budget_used: used, budget_remaining: rest }) {
  return { used, allowed: used + rest, spent: rest === 0 };
}

function Used({ policy }) {
  const { used, allowed, spent } = budget(policy);
  const text = `${count(used)} of ${count(allowed)}`;
  const share = allowed ? used / allowed : 0;
  return html`<span class="rate"><${Meter} share=${share} tone=${spent && used ? "bad" : share >= 0.8 ? "warn" : "good"} label=${text} />
    <span class="figure">${text} in ${span(policy.config.budget_window_seconds)}</span></span>`;
}

function Budget({ policy }) {
  const { used, spent } = budget(policy);
  if (!spent) return html`<${State} state="free" tone="good" />`;
  // Without calls there is nothing to share, either.
  return used ? html`<${State} state="spent" tone="bad" />` : html`<${State} state="nothing to spend" tone="off" />`;
}

function attempts({ config }) {
  const growth = config.exponential_base > 1 ? `, times ${number(config.exponential_base)} up to ${span(config.max_delay_seconds)}` : "";
  const jitter = config.jitter === "none" ? "no jitter" : `${words(config.jitter)} jitter`;
  return [`${plural(config.max_attempts, "attempt")}`, `after ${number(config.initial_delay_seconds)} s${growth}, ${jitter}`];
}

function allowance({ config }) {
  const besides = config.budget_min_per_second ? ` and ${number(config.budget_min_per_second)} a second` : "";
  return `${percent(config.budget_ratio)} of calls${besides}`;
}

const COLUMNS = [
  ["Policy", ({ name }) => name, "name"],
  ["Attempts", (policy) => { const [most, delays] = attempts(policy); return html`${most}<br /><span class="sub">${delays}</span>`; }, "said"],
  ["Budget used", (policy) => html`<${Used} policy=${policy} />`, "meter-cell"],
  ["Budget", (policy) => html`<${Budget} policy=${policy} /><br /><span class="sub">${allowance(policy)}</span>`, "nowrap"],
  ["Calls", ({ total_calls: n }) => count(n), "number"],
  ["Retries", ({ total_retries: n }) => count(n), "number"],
  ["Refused", ({ refused_retries: n }) => count(n), "number"],
];
