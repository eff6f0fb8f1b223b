// One breaker on the board.

import { html } from "../html.js";
import { percent, words } from "../format.js";
import { breakerHistory } from "../history.js";
import { link } from "../router.js";
import { shortSpan, span, useNow } from "../time.js";
import { Bars, describe, worst } from "./bars.js";
import { Meter } from "./basics.js";
import { Switch } from "./switch.js";

const SLOTS = 60;

export function Tile({ breaker }) {
  const now = useNow();
  const { name, state } = breaker;
  const slots = breakerHistory.slots(name, SLOTS, state, breaker.state_changed_at, worst, now);
  return html`<a class=${`tile ${state}`} href=${link("breakers", name)} data-name=${name}>
    <${Switch} state=${state} />
    <span class="name" title=${name}>${name}</span>
    <span class="now"><strong>${words(state)}</strong> <span class="for">${shortSpan((now - Date.parse(breaker.state_changed_at)) / 1000)}</span></span>
    <span class="until"><${Until} breaker=${breaker} now=${now} /></span>
    <${Rate} breaker=${breaker} />
    <${Bars} slots=${slots} label=${describe(slots, "last hour")} />
  </a>`;
}

/** When an open breaker lets the first call try: counted down from when that was last heard. */
export function Until({ breaker, now }) {
  const { state, retry_after_seconds: rest } = breaker;
  if (state === "half_open") return `${breaker.in_flight} of ${breaker.config.half_open_max_calls} probes`;
  if (rest === null || (state !== "open" && state !== "forced_open")) {
    return breaker.in_flight ? `${breaker.in_flight} running` : "";
  }
  const heard = heardAt(breaker);
  const seconds = rest - (now - heard) / 1000;
  const what = state === "open" ? "half open" : "ends";
  return seconds > 0 ? `${what} in ${span(seconds)}` : state === "open" ? "tries on next call" : "ends now";
}

const heard = new WeakMap();

/** When this answer was first shown. */
function heardAt(breaker) {
  if (!heard.has(breaker)) heard.set(breaker, Date.now());
  return heard.get(breaker);
}

/** Failures against what opens it: their rate where there is a window that has enough calls, else those in a row. */
function rateOf(breaker) {
  const { config, failure_rate: rate, failure_count: failures, threshold } = breaker;
  const limit = config.window?.failure_rate;
  if (rate !== null && limit) return { share: rate, mark: limit, text: `${percent(rate)} fail, limit ${percent(limit)}`, near: rate / limit };
  return { share: failures / threshold, text: `${failures} of ${threshold} failures in a row`, near: failures / threshold };
}

export function Rate({ breaker }) {
  const { share, mark, text, near } = rateOf(breaker);
  const tone = near >= 1 ? "bad" : near >= 0.6 ? "warn" : "good";
  return html`<span class="rate"><${Meter} share=${share} mark=${mark} tone=${tone} label=${text} /><span class="figure">${text}</span></span>`;
}
