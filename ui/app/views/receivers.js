// Who is told of alerts: receivers, by which routes, and what became of what they were told.

import { useAnswer, usePages } from "../answer.js";
import { at, get, post, query } from "../api.js";
import { useCollection } from "../collection.js";
import { html, useEffect } from "../html.js";
import { count, plural } from "../format.js";
import { listen } from "../live.js";
import { every } from "../pace.js";
import { Action, Choice, Failure, Heading, Panel, Placeholder, State, Table } from "../parts/basics.js";
import { doNow } from "../parts/dialog.js";
import { Routes } from "../parts/routes.js";
import { receivers, routes } from "../resources.js";
import { setSearch } from "../router.js";
import { Ago, At } from "../time.js";

/** No event tells what becomes of a notification. */
const POLL_SECONDS = 5;
const PAGE = 50;
/** Of those that were given up, so many of the last are shown on top. */
const MOST_DEAD = 20;
const WORDS = { pending: "pending", delivered: "delivered", dead: "given up" };
const TONES = { pending: "warn", delivered: "good", dead: "bad" };

export function Receivers({ search }) {
  useCollection(receivers, 5);
  useCollection(routes, 30);
  const all = receivers.values().sort((a, b) => (a.name < b.name ? -1 : 1));
  const latest = useLatest();
  return html`
    <${Heading} title="Receivers" sub=${`${plural(all.length, "receiver")}, ${plural(routes.items.size, "route")}`} />
    <${Dead} />
    <${Panel} className="flush">
      ${all.length === 0
        ? html`<${Placeholder} collection=${receivers} what="There is no receiver: nobody is told of alerts." hint="Declare one with PUT /v1/receivers/{name}." />`
        : html`<${Table} label="Receivers" columns=${columns(latest)} rows=${all} rowKey=${({ name }) => name} />`}
    </${Panel}>
    <${Panel} title="Routes" className="flush">
      ${routes.items.size === 0
        ? html`<${Placeholder} collection=${routes} what="There is no route: every receiver is told of every alert." hint="Declare one with PUT /v1/routes/{name}." />`
        : html`<${Routes} routes=${routes.values()} />`}
    </${Panel}>
    <${Deliveries} state=${search.get("state") ?? "all"} />`;
}

/** What was last told to each receiver. */
function useLatest() {
  const names = [...receivers.items.keys()].sort();
  const { answer } = useAnswer(
    () => Promise.all(names.map((receiver) => get(query("/v1/notifications", { receiver, limit: 1 })))),
    // Many are asked about less often.
    [names.join(" ")], undefined, POLL_SECONDS * Math.max(1, names.length / 10),
  );
  return new Map((answer ?? []).flatMap(({ items }) => items).map((one) => [one.receiver, one]));
}

/** What nobody was told although it was tried to the end. */
function Dead() {
  const { answer, again } = useAnswer(() => get(query("/v1/notifications", { state: "dead", limit: MOST_DEAD })), [], undefined, POLL_SECONDS);
  if (!answer?.items.length) return null;
  return html`<${Panel} title=${`Given up: ${answer.next_cursor ? "more than " : ""}${plural(answer.items.length, "notification")}`} className="flush is-bad">
    <${Table} label="Notifications that were given up" columns=${notifications(again, true)} rows=${answer.items} rowKey=${({ id }) => id} />
  </${Panel}>`;
}

function Deliveries({ state }) {
  const { known, load, renew } = usePages("/v1/notifications", { state: state === "all" ? "" : state, limit: PAGE });
  useEffect(() => {
    load();
    const stops = [every(POLL_SECONDS * 1000, renew), listen({ anew: renew })];
    return () => stops.forEach((stop) => stop());
  }, [state]);
  return html`<${Panel} title="Notifications" className="flush"
      aside=${html`<${Choice} label="Notifications" value=${state} options=${[["all", "All"], ...Object.entries(WORDS)]}
        onChange=${(value) => setSearch({ state: value === "all" ? "" : value })} />`}>
    <${Failure} error=${known.error} />
    ${!known.items && !known.error && html`<p class="placeholder" aria-busy="true">Loading…</p>`}
    ${known.items?.length === 0 && html`<p class="placeholder">${state === "all" ? "Nobody has been told anything in the last seven days." : "There is none like that."}</p>`}
    ${known.items?.length > 0 && html`<${Table} label="Notifications" columns=${notifications(renew)} rows=${known.items} rowKey=${({ id }) => id} most=${Infinity} />`}
    ${known.next && html`<p class="placeholder"><button type="button" class="button" onClick=${() => load(known.next)}>Older ones</button></p>`}
  </${Panel}>`;
}

function Test({ name }) {
  const test = async () => {
    const { delivered, http_status: status, error } = await post(at("/v1/receivers", name, "test"));
    if (!delivered) throw new Error(`${name} did not take it: ${error}`);
    return `${name} took it${status ? ` with ${status}` : ""}`;
  };
  return html`<${Action} label=${`Test ${name}`} title="Sends a notification that is about nothing" onClick=${() => doNow(test)}>Test</${Action}>`;
}

function Retry({ notification: { id, state, receiver }, renew }) {
  if (state === "delivered") return null;
  const retry = async () => {
    await post(at("/v1/notifications", id, "retry"));
    renew();
    return `${receiver} is told again`;
  };
  return html`<${Action} label=${`Try notification ${id} again`} onClick=${() => doNow(retry)}>Try again</${Action}>`;
}

/** Where it goes. What follows the host of an address is a secret, and the server does not say it. */
function Where({ config }) {
  const where = config.url ?? `${config.to?.join(", ")} by ${config.smtp_host}:${config.smtp_port}`;
  return html`<span class="name">${where}</span>
    ${config.channel && html` <span class="sub">${config.channel}</span>`}${config.send_resolved === false && html`<br /><span class="sub">not of what is resolved</span>`}`;
}

function columns(latest) {
  return [
    ["Receiver", ({ name }) => name, "name"],
    ["Kind", ({ kind }) => kind, "nowrap"],
    ["Address", (receiver) => html`<${Where} config=${receiver.config} />`, "wide"],
    ["Waiting", ({ pending_notifications: n }) => (n ? html`<${State} state="waiting" tone="warn" text=${count(n)} />` : "0"), "number"],
    ["Last told", ({ name }) => {
      const last = latest.get(name);
      return last ? html`<${State} state=${last.state} tone=${TONES[last.state]} text=${WORDS[last.state]} /> <span class="sub"><${Ago} at=${last.finished_at ?? last.created_at} short=${true} /></span>`
        : html`<span class="none">never</span>`;
    }, "nowrap"],
    ["", ({ name }) => html`<${Test} name=${name} />`, "acts"],
  ];
}

/** The labels by which its alerts belong together; the whole key has those of the routes as well. */
function group(key) {
  return key.slice(key.lastIndexOf(":{") + 2, -1) || "all of the route";
}

/** Those that are given up need no word for it, and are not tried next. */
function notifications(renew, dead = false) {
  return [
    !dead && ["State", ({ state }) => html`<${State} state=${state} tone=${TONES[state]} text=${WORDS[state]} />`, "nowrap"],
    ["Decided", ({ created_at: at }) => html`<${At} at=${at} />`, "nowrap"],
    ["Receiver", ({ receiver }) => receiver, "name"],
    ["About", ({ status, alert_count: n, group_key: key }) => html`${plural(n, "alert")} ${status}<br /><span class="sub name" title=${key}>${group(key)}</span>`, "wide"],
    ["Tried", ({ attempts }) => count(attempts), "number"],
    ["Last error", ({ last_error: error, state }) => error && html`<span class=${state === "delivered" ? "sub" : ""}>${error}</span>`, "wide"],
    !dead && ["Next", ({ next_attempt_at: at }) => at && html`<${Ago} at=${at} />`, "nowrap"],
    ["", (one) => html`<${Retry} notification=${one} renew=${renew} />`, "acts"],
  ].filter(Boolean);
}
