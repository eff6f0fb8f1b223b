// Gates: may one go, and what stands in the way.

import { at, post } from "../api.js";
import { useCollection } from "../collection.js";
import { html, useState } from "../html.js";
import { count, labels, plural } from "../format.js";
import { Action, Heading, Panel, Placeholder, State } from "../parts/basics.js";
import { doNow } from "../parts/dialog.js";
import { gates } from "../resources.js";
import { linkTo } from "../router.js";
import { At } from "../time.js";

export function Gates() {
  useCollection(gates, 5);
  const all = gates.values().sort((a, b) => a.verdict.allowed - b.verdict.allowed || (a.name < b.name ? -1 : 1));
  return html`
    <${Heading} title="Gates" sub=${plural(all.length, "gate")} />
    ${all.length === 0 && html`<${Placeholder} collection=${gates} what="There is no gate yet." hint="Declare one with PUT /v1/gates/{name}." />`}
    <div class="columns wide">${all.map((gate) => html`<${Gate} key=${gate.name} gate=${gate} />`)}</div>`;
}

function Gate({ gate }) {
  const [asked, setAsked] = useState(null);
  const { name, verdict, config } = gate;
  const evaluate = () => doNow(async () => {
    setAsked(await post(at("/v1/gates", name, "evaluate")));
    gates.dirty.add(name);
    gates.look();
  });
  const looksAt = [
    config.checks?.length && `checks ${config.checks.join(", ")}`,
    Object.keys(config.check_labels ?? {}).length && `checks with ${labels(config.check_labels)}`,
    config.breakers?.length && `breakers ${config.breakers.join(", ")}`,
    config.alerts && `alerts from ${config.alerts.min_level ?? "any level"} on`,
  ].filter(Boolean).join("; ");
  return html`<${Panel} className=${verdict.allowed ? "" : "is-bad"}>
    <div class="heading"><h2 class="name">${name}</h2>
      <${State} state=${verdict.allowed ? "open" : "closed"} tone=${verdict.allowed ? "good" : "bad"} text=${verdict.allowed ? "lets pass" : "refuses"} /></div>
    ${config.description && html`<p>${config.description}</p>`}
    ${verdict.blocking.length > 0 && html`<ul class="blocking">${verdict.blocking.map((one) => html`<li key=${`${one.kind} ${one.name}`}>
      <${State} state=${one.status} /> <span class="kind">${one.kind}</span>${" "}
      ${one.kind === "alert" ? html`<span class="name">${one.name}</span>` : html`<a class="name" href=${linkTo(one.kind, one.name)}>${one.name}</a>`}
      <span class="sub"> ${one.message}</span></li>`)}</ul>`}
    <p class="sub">Looks at ${looksAt || "nothing"}; lets pass up to ${config.max_status ?? "green"}.</p>
    <p class="sub">Asked since the start: ${count(gate.allowed_evaluations)} passed, ${count(gate.refused_evaluations)} refused.</p>
    <div class="actions">
      <${Action} scope="read" label=${`Evaluate ${name}`} onClick=${evaluate}>Evaluate</${Action}>
      ${asked && html`<span role="status">${asked.allowed ? "Allowed" : "Refused"} at <${At} at=${asked.evaluated_at} />, overall ${asked.overall_status}</span>`}
    </div>
  </${Panel}>`;
}
