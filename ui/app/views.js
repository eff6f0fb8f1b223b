// The views and their addresses. Each is loaded when it is first shown.

const view = (load) => {
  let loading = null;
  return { load: () => (loading ??= load().catch((error) => { loading = null; throw error; })) };
};

const overview = view(async () => (await import("./views/overview.js")).Overview);
const board = view(async () => (await import("./views/board.js")).Board);
const breaker = view(async () => (await import("./views/breaker.js")).Breaker);
const limiters = view(async () => (await import("./views/limiters.js")).Limiters);
const checks = view(async () => (await import("./views/checks.js")).Checks);
const check = view(async () => (await import("./views/check.js")).Check);
const gates = view(async () => (await import("./views/gates.js")).Gates);
const alerts = view(async () => (await import("./views/alerts.js")).Alerts);
const alert = view(async () => (await import("./views/alert.js")).AlertDetail);
const silences = view(async () => (await import("./views/silences.js")).Silences);
const backups = view(async () => (await import("./views/backups.js")).Backups);
const backup = view(async () => (await import("./views/backup.js")).Backup);
const schedules = view(async () => (await import("./views/schedules.js")).Schedules);
const schedule = view(async () => (await import("./views/schedule.js")).Schedule);
const metrics = view(async () => (await import("./views/metrics.js")).Metrics);
const events = view(async () => (await import("./views/events.js")).Events);

/** In the order of the navigation; `counts` names what its badge counts. */
export const VIEWS = [
  { path: "", title: "Overview", all: overview },
  { path: "breakers", title: "Breakers", counts: "breaker", all: board, one: breaker },
  { path: "limiters", title: "Limiters", counts: "limiter", all: limiters },
  { path: "checks", title: "Checks", counts: "check", all: checks, one: check },
  { path: "gates", title: "Gates", counts: "gate", all: gates },
  { path: "alerts", title: "Alerts", counts: "alert", all: alerts, one: alert },
  { path: "silences", title: "Silences", all: silences },
  { path: "schedules", title: "Schedules", counts: "schedule", all: schedules, one: schedule },
  { path: "backups", title: "Backups", all: backups, one: backup },
  { path: "metrics", title: "Metrics", all: metrics },
  { path: "events", title: "Events", all: events },
];

export function viewOf([path = "", name]) {
  const found = VIEWS.find((one) => one.path === path);
  return name === undefined ? found?.all : found?.one;
}
