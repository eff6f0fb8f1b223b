// What is wrong, out of everything that the page knows: pure.

import { linkTo } from "./router.js";

/** How grave: `bad` is broken, `warn` wants a look, `note` is as somebody wanted it. */
const GRAVITY = { bad: 0, warn: 1, note: 2 };

const LEVELS = { critical: "bad", error: "bad", warning: "warn", info: "note" };
/** The board's own metrics, and which label names the resource. */
const OWN = { fuseboard_breaker_open: "breaker", fuseboard_check_red: "check", fuseboard_schedule_missed: "schedule" };

/** Whether it is one of the board's own metrics, which are 1 while something is wrong: nobody needs to read that number. */
export const isOwn = (metric) => metric.startsWith("fuseboard_");

/** `changesOf` gives what is known of a breaker's last changes, as `History` has them. */
export function problems({ breakers, checks, gates, alerts, limiters, schedules, changesOf }) {
  const { own, other } = sortAlerts(alerts);
  const began = beginnings(breakers, checks);
  const found = [
    ...other.map(alertProblem),
    ...breakers.flatMap((breaker) => breakerProblem(breaker, own, changesOf?.(breaker.name) ?? [])),
    ...checks.flatMap((check) => checkProblem(check, own)),
    ...gates.flatMap((gate) => gateProblem(gate, began)),
    ...limiters.flatMap(limiterProblem),
    ...schedules.flatMap((schedule) => scheduleProblem(schedule, own)),
  ];
  return found.sort((a, b) => GRAVITY[a.gravity] - GRAVITY[b.gravity]
    || order(b.since ?? "", a.since ?? "") || order(a.name, b.name));
}

function order(a, b) {
  return a < b ? -1 : Number(a > b);
}

/** The gravest of them: `green`, `yellow` or `red`. */
export function overall(found) {
  if (found.some((problem) => problem.gravity === "bad" && !problem.quiet)) return "red";
  return found.some((problem) => problem.gravity !== "note" && !problem.quiet) ? "yellow" : "green";
}

/** Alerts about breakers, checks and schedules stand with these. */
function sortAlerts(alerts) {
  const own = new Map();
  const other = [];
  for (const alert of alerts) {
    const label = OWN[alert.metric_name];
    if (label && alert.labels[label]) own.set(`${label} ${alert.labels[label]}`, alert);
    else other.push(alert);
  }
  return { own, other };
}

/** Somebody has seen to it that nobody is bothered with it. */
export function isQuiet(alert) {
  return Boolean(alert && (alert.acknowledged || alert.silenced_by?.length || alert.muted_by?.length));
}

function alertProblem(alert) {
  return {
    kind: "alert", name: alert.metric_name, href: linkTo("alert", alert.id), gravity: LEVELS[alert.level] ?? "warn",
    state: alert.level, since: alert.started_at, text: alert.message, alert, quiet: isQuiet(alert),
    reporter: alert.source === "external" ? "sent from outside" : ruleOf(alert),
  };
}

function ruleOf({ details, threshold_id: id }) {
  return details.comparison ? `threshold ${details.comparison} ${details.threshold}` : `threshold ${id ?? ""}`;
}

const BREAKER_STATES = { open: "bad", forced_open: "bad", half_open: "warn", disabled: "note", metrics_only: "note" };

function breakerProblem(breaker, own, changes) {
  const gravity = BREAKER_STATES[breaker.state];
  if (!gravity) return [];
  const alert = own.get(`breaker ${breaker.name}`);
  const why = opening(changes)?.event.data;
  return [{
    kind: "breaker", name: breaker.name, href: linkTo("breaker", breaker.name), gravity,
    state: breaker.state, since: brokenSince(breaker, changes), alert, quiet: isQuiet(alert),
    text: why?.reason || causeText(why?.cause, breaker), reporter: reportedBy(breaker, why),
    retryAfter: breaker.retry_after_seconds,
  }];
}

/** What time does by itself, which is nobody's report. */
const BY_ITSELF = ["timeout_elapsed", "half_open_timeout", "ttl_elapsed"];

/** The last change that somebody or something caused. */
function opening(changes) {
  return changes.findLast(({ event }) => !BY_ITSELF.includes(event.data.cause)) ?? changes.at(-1);
}

/** When it was last closed, through all its states since; when the present one began if that is not known. */
function brokenSince(breaker, changes) {
  const left = changes.findLast(({ before }) => before === "closed");
  return left && changes.at(-1).after !== "closed" ? left.event.at : breaker.state_changed_at;
}

const CAUSES = {
  failure_threshold: "failures in a row", failure_rate: "failure rate", slow_call_rate: "slow calls",
  timeout_elapsed: "wait is over", half_open_success: "probes succeeded", half_open_failure: "a probe failed",
  half_open_timeout: "half open for too long", manual: "set by hand", reset: "reset by hand", ttl_elapsed: "override ended",
};

export function causeText(cause, breaker) {
  const text = CAUSES[cause] ?? "";
  return cause === "failure_threshold" ? `${breaker.failure_count} ${text}` : text;
}

/** Who did it: whoever set it by hand, or the clients that failed. */
function reportedBy(breaker, why) {
  const by = (who) => (who ? `by ${who}` : "");
  if (why && (why.cause === "manual" || why.cause === "reset")) return by(why.actor);
  const clients = breaker.reporters.length ? breaker.reporters.map((r) => r.client) : why?.reporters ?? [];
  const names = clients.filter(Boolean);
  if (!names.length) return by(why?.actor);
  return by(names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", "));
}

function checkProblem(check, own) {
  if (check.status === "green" && !check.stale) return [];
  // What was declared and never had a result is not wrong yet, but wants a look.
  const red = check.status === "red" && !check.stale;
  const alert = own.get(`check ${check.name}`);
  return [{
    kind: "check", name: check.name, href: linkTo("check", check.name),
    gravity: red && check.critical ? "bad" : "warn", state: check.stale ? "stale" : check.status,
    since: check.changed_at, text: check.error || check.message, alert, quiet: isQuiet(alert),
    reporter: `${check.kind} check`,
  }];
}

/** Since when breakers and checks are as they are, by kind and name. */
function beginnings(breakers, checks) {
  const began = new Map();
  for (const { name, state_changed_at: at } of breakers) began.set(`breaker ${name}`, at);
  for (const { name, changed_at: at } of checks) began.set(`check ${name}`, at);
  return began;
}

function gateProblem(gate, began) {
  if (gate.verdict.allowed) return [];
  // It is closed since the first of what closes it has been so, as far as that is known.
  const since = gate.verdict.blocking.map(({ kind, name }) => began.get(`${kind} ${name}`)).filter(Boolean).sort()[0] ?? null;
  const [worst, ...others] = gate.verdict.blocking;
  const more = others.length ? ` and ${others.length} more` : "";
  return [{
    kind: "gate", name: gate.name, href: linkTo("gate"), gravity: "bad", state: "refuses", since,
    text: worst ? `${worst.name}: ${worst.message}${more}` : "", reporter: worst ? `by ${worst.kind} ${worst.name}` : "",
  }];
}

function limiterProblem(limiter) {
  if (!limiter.blocked_seconds) return [];
  return [{
    kind: "limiter", name: limiter.name, href: linkTo("limiter"), gravity: "warn", state: "blocked", since: null,
    text: "the upstream asked everybody to wait", reporter: "", retryAfter: limiter.blocked_seconds,
  }];
}

function scheduleProblem(schedule, own) {
  const run = schedule.last_run;
  if (!run || (run.status !== "missed" && run.status !== "failed")) return [];
  const alert = own.get(`schedule ${schedule.name}`);
  return [{
    kind: "schedule", name: schedule.name, href: linkTo("schedule", schedule.name), gravity: "warn",
    state: run.status, since: run.finished_at ?? run.scheduled_for, alert, quiet: isQuiet(alert),
    text: run.status === "missed" ? "it did not run when it was due" : "the last run failed",
    reporter: run.actor ? `run by ${run.actor}` : run.trigger === "manual" ? "run by hand" : "run as planned",
  }];
}
