// Running a schedule now.

import { at, post } from "../api.js";
import { html } from "../html.js";
import { schedules } from "../resources.js";
import { Action } from "./basics.js";
import { doNow } from "./dialog.js";

export function RunSchedule({ name }) {
  const run = async () => {
    const begun = await post(at("/v1/schedules", name, "run"), {});
    schedules.dirty.add(name);
    schedules.look();
    return `${name}: run ${begun.id} ${begun.status}`;
  };
  return html`<${Action} label=${`Run ${name}`} onClick=${() => doNow(run)}>Run now</${Action}>`;
}
