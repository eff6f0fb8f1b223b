// The views and their addresses. Each is loaded when it is first shown.

const view = (load) => {
  let loading = null;
  return { load: () => (loading ??= load().catch((error) => { loading = null; throw error; })) };
};

const overview = view(async () => (await import("./views/overview.js")).Overview);
const board = view(async () => (await import("./views/board.js")).Board);
const breaker = view(async () => (await import("./views/breaker.js")).Breaker);
const limiters = view(async () => (await import("./views/limiters.js")).Limiters);
const retryPolicies = view(async () => (await import("./views/retry-policies.js")).RetryPolicies);
const checks = view(async () => (await import("./views/checks.js")).Checks);
const check = view(async () => (await import("./views/check.js")).Check);
const gates = view(async () => (await import("./views/gates.js")).Gates);
const alerts = view(async () => (await import("./views/alerts.js")).Alerts);
const alert = view(async () => (await import("./views/alert.js")).AlertDetail);
const silences = view(async () => (await import("./views/silences.js")).Silences);
const thresholds = view(async () => (await import("./views/thresholds.js")).Thresholds);
const receivers = view(async () => (await import("./views/receivers.js")).Receivers);
const backups = view(async () => (await import("./views/backups.js")).Backups);
const backup = view(async () => (await import("./views/backup.js")).Backup);
const schedules = view(async () => (await import("./views/schedules.js")).Schedules);
const schedule = view(async () => (await import("./views/schedule.js")).Schedule);
const metrics = view(async () => (await import("./views/metrics.js")).Metrics);
const events = view(async () => (await import("./views/events.js")).Events);

/** In the order of the navigation; `counts` names what its badge counts. Those `under` another are tabs beside it. */
export const VIEWS = [
  { path: "", title: "Overview", all: overview },
  { path: "breakers", title: "Breakers", counts: "breaker", all: board, one: breaker },
  { path: "limiters", title: "Limiters", counts: "limiter", all: limiters },
  { path: "retry-policies", title: "Retry policies", under: "limiters", all: retryPolicies },
  { path: "checks", title: "Checks", counts: "check", all: checks, one: check },
  { path: "gates", title: "Gates", counts: "gate", all: gates },
  { path: "alerts", title: "Alerts", counts: "alert", all: alerts, one: alert },
  { path: "silences", title: "Silences", under: "alerts", all: silences },
  { path: "thresholds", title: "Thresholds", under: "alerts", all: thresholds },
  { path: "receivers", title: "Receivers", under: "alerts", all: receivers },
  { path: "schedules", title: "Schedules", counts: "schedule", all: schedules, one: schedule },
  { path: "backups", title: "Backups", all: backups, one: backup },
  { path: "metrics", title: "Metrics", all: metrics },
  { path: "events", title: "Events", all: events },
];

/** Where in the navigation a view is. */
export function placeOf(path) {
  return VIEWS.find((one) => one.path === path)?.under ?? path;
}

/** The tabs among which a view stands; none if it is alone. */
export function tabsOf(path) {
  const place = placeOf(path);
  const tabs = VIEWS.filter((one) => one.path === place || one.under === place);
  return tabs.length > 1 ? tabs : [];
}

export function viewOf([path = "", name]) {
  const found = VIEWS.find((one) => one.path === path);
  return name === undefined ? found?.all : found?.one;
}
