// Limiters: how much of each is used, who waits, who is asked to wait.

import { at, post } from "../api.js";
import { useCollection } from "../collection.js";
import { html } from "../html.js";
import { count, matches, number, percent, plural, words } from "../format.js";
import { Action, Filter, Heading, Meter, Panel, Placeholder, State, Table } from "../parts/basics.js";
import { act } from "../parts/dialog.js";
import { limiters } from "../resources.js";
import { setSearch } from "../router.js";
import { span } from "../time.js";

export function Limiters({ search }) {
  useCollection(limiters, 2);
  const wanted = search.get("q") ?? "";
  const all = limiters.values();
  const found = all.filter(({ name }) => matches(name, wanted));
  return html`
    <${Heading} title="Limiters" sub=${plural(all.length, "limiter")} />
    <div class="tools"><${Filter} value=${wanted} onInput=${(q) => setSearch({ q })} /></div>
    <${Panel} className="flush">
      ${found.length === 0
        ? html`<${Placeholder} collection=${limiters} what=${all.length ? "No limiter is called that." : "There is no limiter yet."}
            hint=${all.length ? null : "Declare one with PUT /v1/limiters/{name}."} />`
        : html`<${Table} label="Limiters" columns=${COLUMNS} rows=${found} rowKey=${({ name }) => name} />`}
    </${Panel}>`;
}

/** What is granted now, out of all that can be. */
function used(limiter) {
  const limit = limiter.burst_size;
  const taken = limiter.algorithm === "token_bucket" ? limit - Math.max(0, limiter.available_tokens) : limiter.in_use;
  return { taken, limit, share: limit > 0 ? taken / limit : 0 };
}

function Used({ limiter }) {
  const { taken, limit, share } = used(limiter);
  const text = `${number(Math.round(taken * 10) / 10)} of ${number(limit)}`;
  const tone = share >= 1 ? "bad" : share >= 0.8 ? "warn" : "good";
  return html`<span class="rate"><${Meter} share=${share} tone=${tone} label=${text} /><span class="figure">${text}</span></span>`;
}

function rule({ config, algorithm }) {
  if (algorithm === "token_bucket") return `${number(config.requests_per_second)}/s, burst ${number(config.burst_size)}`;
  if (algorithm === "concurrency") return `${number(config.limit)} at once`;
  return `${number(config.limit)} in ${span(config.period_seconds)}`;
}

function penalize(limiter) {
  act({
    title: `Hold back ${limiter.name}`, text: "Everybody waits this long, as after a 429 of the upstream.",
    fields: [
      { name: "seconds", label: "Seconds", kind: "number", value: "60", required: true },
      { name: "reason", label: "Reason", placeholder: "for the history" },
    ],
    button: "Hold back", tone: "danger",
    run: async ({ seconds, reason }) => {
      limiters.put(await post(at("/v1/limiters", limiter.name, "penalize"), {
        retry_after_seconds: Number(seconds), reason: reason || undefined,
      }));
      return `${limiter.name} is held back`;
    },
  });
}

const COLUMNS = [
  ["Limiter", ({ name }) => name, "name"],
  ["Rule", (limiter) => html`${words(limiter.algorithm)}<br /><span class="sub">${rule(limiter)}</span>`, "nowrap"],
  ["Used", (limiter) => html`<${Used} limiter=${limiter} />`, "meter-cell"],
  ["State", ({ blocked_seconds: blocked, waiting }) => (blocked
    ? html`<${State} state="blocked" text=${`blocked for ${span(blocked)}`} />`
    : waiting ? html`<${State} state="waiting" tone="warn" text=${`${count(waiting)} waiting`} />` : html`<${State} state="free" tone="good" />`), "nowrap"],
  ["Held", ({ in_use: held }) => number(Math.round(held * 10) / 10), "number"],
  ["Clients", ({ live_clients: clients }) => count(clients), "number"],
  ["Requests", ({ total_requests: total }) => count(total), "number"],
  ["Throttled", ({ throttled_requests: n, throttle_rate: rate }) => `${count(n)} (${percent(rate)})`, "number"],
  ["", (limiter) => html`<${Action} label=${`Hold back ${limiter.name}`} onClick=${() => penalize(limiter)}>Hold back</${Action}>`, "acts"],
];
