// Maintenance windows: declared, ended, taken up again, deleted.

import { at, create, edit, remove, send } from "../api.js";
import { html } from "../html.js";
import { alerts, maintenanceWindows } from "../resources.js";
import { session } from "../session.js";
import { Action } from "./basics.js";
import { SPANS, act, doNow } from "./dialog.js";
import { lines } from "./matchers.js";

const PATH = "/v1/maintenance-windows";
const once = ({ comes }) => comes === "once";
const again = ({ comes }) => comes === "again";

function fields() {
  return [
    { name: "name", label: "Name", required: true, placeholder: "provider-upgrade" },
    { name: "matchers", label: "Matchers, one in each line", kind: "lines", value: "", hint: "name=\"value\", also !=, =~ and !~. Without any, all alerts." },
    { name: "comes", label: "Comes", kind: "select", value: "once", options: [["once", "once"], ["again", "again and again"]] },
    { name: "begins", label: "Begins", kind: "datetime-local", when: once, hint: "By your clock. Empty: now." },
    { name: "cron", label: "Cron", value: "0 2 * * SUN", required: true, when: again, hint: "minute, hour, day, month, day of the week" },
    { name: "timezone", label: "Time zone", value: Intl.DateTimeFormat().resolvedOptions().timeZone, required: true, when: again },
    { name: "seconds", label: "Lasts", kind: "select", value: "3600", options: SPANS },
    { name: "comment", label: "Comment", placeholder: "why" },
  ];
}

/** The server's clock: this one may go wrong, and a window that begins later would hold nobody back now. */
async function present() {
  const { headers } = await send("GET", "/v1/tokens/self");
  return Date.parse(headers.get("date")) || Date.now();
}

async function times({ comes, begins, seconds, cron, timezone }) {
  if (comes === "again") return { cron, timezone, duration_seconds: Number(seconds) };
  const from = begins ? Date.parse(begins) : await present();
  return { starts_at: new Date(from).toISOString(), ends_at: new Date(from + Number(seconds) * 1000).toISOString() };
}

/** Asks for a new one. */
export function declareWindow() {
  act({
    title: "New maintenance window", text: "Nobody is told of alerts that fire while it is open and match all of its matchers.",
    fields: fields(), button: "Declare",
    run: async (values) => {
      const made = await create(at(PATH, values.name.trim()), {
        matchers: lines(values.matchers), ...await times(values),
        comment: values.comment || undefined, created_by: session.value.name || undefined,
      });
      changed(made);
      return made.is_open ? `${made.name} is open` : `${made.name} is declared`;
    },
  });
}

function changed(one) {
  maintenanceWindows.put(one);
  alerts.look(true);
}

async function enable({ name }, enabled) {
  changed(await edit(at(PATH, name), (config) => ({ ...config, enabled })));
}

function end(one) {
  act({
    title: one.is_open ? `End ${one.name}` : `Switch ${one.name} off`, tone: "danger", button: one.is_open ? "End it" : "Switch off",
    text: "From then on people are told of its alerts. It stays here, and can be switched on again.",
    run: async () => {
      await enable(one, false);
      return `${one.name} is switched off`;
    },
  });
}

function discard({ name }) {
  act({
    title: `Delete ${name}`, text: "It is gone for good.", tone: "danger", button: "Delete",
    run: async () => {
      await remove(at(PATH, name));
      maintenanceWindows.look(true);
      return `${name} is deleted`;
    },
  });
}

/** Whether it can still hold: one that comes once is over at some time. */
export const isOver = ({ is_open: open, opens_at: opens, config }) => !open && !opens && (config.enabled || Date.parse(config.ends_at) < Date.now());

export function WindowActions({ window: one }) {
  const { name, is_open: open, config } = one;
  const over = isOver(one);
  return html`
    ${config.enabled && !over && html`<${Action} label=${`${open ? "End" : "Switch off"} ${name}`} onClick=${() => end(one)}>${open ? "End" : "Switch off"}</${Action}>`}
    ${!config.enabled && !over && html`<${Action} label=${`Switch on ${name}`}
      onClick=${() => doNow(async () => { await enable(one, true); return `${name} is switched on`; })}>Switch on</${Action}>`}
    ${(over || !config.enabled) && html`<${Action} label=${`Delete ${name}`} onClick=${() => discard(one)}>Delete</${Action}>`}`;
}
