// Running a check now.

import { post } from "../api.js";
import { html } from "../html.js";
import { checks } from "../resources.js";
import { Action } from "./basics.js";
import { doNow } from "./dialog.js";

/** What the board runs itself. */
const RUNS = ["http", "tcp", "breaker", "metric"];

export function RunCheck({ check }) {
  if (!check || !RUNS.includes(check.kind)) return null;
  const run = async () => {
    const report = await post("/v1/health/run", { checks: [check.name] });
    checks.dirty.add(check.name);
    checks.look();
    return `${check.name} is ${report.checks[check.name]?.status ?? "gone"}`;
  };
  return html`<${Action} label=${`Run ${check.name}`} onClick=${() => doNow(run)}>Run now</${Action}>`;
}
