// What an operator does to a breaker, with a reason.

import { at, post } from "../api.js";
import { html } from "../html.js";
import { breakers } from "../resources.js";
import { Action } from "./basics.js";
import { SPANS, act } from "./dialog.js";

const REASON = { name: "reason", label: "Reason", placeholder: "for the history" };
const TTL = {
  name: "ttl", label: "For", kind: "select", value: "900", options: [...SPANS, ["", "until somebody ends it"]],
  hint: "Then the state of before returns.",
};

function setState(breaker, target, { reason, ttl }) {
  const body = { target, reason: reason || undefined, ttl_seconds: ttl ? Number(ttl) : undefined };
  return post(at("/v1/breakers", breaker.name, "state"), body).then((item) => breakers.put(item));
}

function override(breaker, target, { title, text, button, tone, said }) {
  act({
    title: `${title} ${breaker.name}`, text, fields: [REASON, TTL], button, tone,
    run: async (values) => {
      await setState(breaker, target, values);
      return `${breaker.name} ${said}`;
    },
  });
}

const trip = (breaker) => override(breaker, "forced_open", {
  title: "Trip", text: "All calls are refused, whatever their outcomes.", button: "Trip", tone: "danger", said: "is forced open",
});
const disable = (breaker) => override(breaker, "disabled", {
  title: "Disable", text: "All calls pass and nothing is counted: it protects nothing.", button: "Disable", tone: "danger",
  said: "is disabled",
});
const watch = (breaker) => override(breaker, "metrics_only", {
  title: "Only count for", text: "All calls pass; outcomes are counted.", button: "Only count", tone: "primary", said: "only counts",
});

function reset(breaker) {
  act({
    title: `Reset ${breaker.name}`, text: "It is closed, and its counts, override and timers are forgotten.", fields: [REASON],
    button: "Reset",
    run: async ({ reason }) => {
      breakers.put(await post(at("/v1/breakers", breaker.name, "reset"), { reason: reason || undefined }));
      return `${breaker.name} is reset`;
    },
  });
}

/** `brief`: only what is needed at night. */
export function BreakerActions({ breaker, brief = false }) {
  if (!breaker) return null;
  const { state } = breaker;
  return html`
    ${(!brief || state !== "closed") && html`<${Action} label=${`Reset ${breaker.name}`} onClick=${() => reset(breaker)}>Reset</${Action}>`}
    ${state !== "forced_open" && html`<${Action} tone="danger" label=${`Trip ${breaker.name}`} onClick=${() => trip(breaker)}>Trip</${Action}>`}
    ${!brief && state !== "disabled" && html`<${Action} onClick=${() => disable(breaker)}>Disable</${Action}>`}
    ${!brief && state !== "metrics_only" && html`<${Action} onClick=${() => watch(breaker)}>Only count</${Action}>`}`;
}
