// Acknowledging and silencing alerts.

import { at, post } from "../api.js";
import { html } from "../html.js";
import { alerts, silences } from "../resources.js";
import { Action, Tag } from "./basics.js";
import { SPANS, act } from "./dialog.js";
import { lines } from "./matchers.js";

function acknowledge(alert) {
  act({
    title: `Acknowledge ${alert.metric_name}`, text: alert.message,
    fields: [{ name: "comment", label: "Comment", placeholder: "what is being done" }], button: "Acknowledge",
    run: async ({ comment }) => {
      const seen = await post(at("/v1/alerts", alert.id, "acknowledge"), { comment: comment || undefined });
      if (alerts.items.has(seen.id)) alerts.put({ ...alerts.items.get(seen.id), acknowledged: seen.acknowledged });
      return "Acknowledged";
    },
  });
}

/** A value in a matcher. */
function quoted(value) {
  return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

/** Matchers that this alert alone has, as far as labels tell. */
function matchersOf(alert) {
  const pairs = [...(alert.metric_name ? [["alertname", alert.metric_name]] : []), ...Object.entries(alert.labels)];
  return pairs.map(([name, value]) => `${name}=${quoted(value)}`);
}

/** Asks for a silence; `matchers` are what it begins with. */
export function silence(matchers) {
  act({
    title: "Silence", text: "Nobody is told of alerts whose labels match all of these.",
    fields: [
      { name: "matchers", label: "Matchers, one in each line", kind: "lines", value: matchers.join("\n"), required: true,
        hint: "name=\"value\", also !=, =~ and !~" },
      { name: "seconds", label: "For", kind: "select", value: "3600", options: SPANS },
      { name: "comment", label: "Comment", placeholder: "why" },
    ],
    button: "Silence",
    run: async (values) => {
      await post("/v1/silences", {
        matchers: lines(values.matchers),
        duration_seconds: Number(values.seconds), comment: values.comment || undefined,
      });
      silences.look(true);
      alerts.look(true);
      return "Silenced";
    },
  });
}

/** Why nobody is bothered with it any more. */
export function AlertTags({ alert: { acknowledged, silenced_by: silences, muted_by: windows } }) {
  return html`
    ${acknowledged && html` <${Tag}>acknowledged by ${acknowledged.by}${acknowledged.comment && `: ${acknowledged.comment}`}</${Tag}>`}
    ${silences?.length > 0 && html` <${Tag}>silenced</${Tag}>`}
    ${windows?.length > 0 && html` <${Tag}>maintenance: ${windows.join(", ")}</${Tag}>`}`;
}

export function AlertActions({ alert }) {
  const about = alert.message || alert.metric_name;
  return html`
    ${!alert.acknowledged && html`<${Action} label=${`Acknowledge ${about}`} onClick=${() => acknowledge(alert)}>Acknowledge</${Action}>`}
    ${!alert.silenced_by?.length && html`<${Action} label=${`Silence ${about}`} onClick=${() => silence(matchersOf(alert))}>Silence</${Action}>`}`;
}
