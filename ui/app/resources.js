// The collections of the board.

import { Collection } from "./collection.js";

export const breakers = new Collection("/v1/breakers", {
  kind: "breaker",
  patch(breaker, { kind, at, data }) {
    if (kind !== "breaker.transition" || data.generation <= breaker.generation) return breaker;
    return {
      ...breaker,
      state: data.to,
      state_changed_at: at,
      generation: data.generation,
      metrics: data.metrics,
      failure_count: data.to === "closed" ? 0 : data.failure_count,
      failure_rate: data.to === "closed" ? null : data.failure_rate,
      slow_call_rate: data.slow_call_rate,
      // How long it waits is asked next; until then it is what is configured.
      retry_after_seconds: data.to === "open" ? breaker.config.timeout_seconds : null,
    };
  },
});

export const checks = new Collection("/v1/checks", {
  kind: "check",
  patch(check, { kind, at, data }) {
    if (kind !== "check.changed" || data.number <= check.changes) return check;
    return {
      ...check, status: data.to, stale: data.stale, message: data.message, changed_at: at, changes: data.number,
    };
  },
});

export const limiters = new Collection("/v1/limiters", { kind: "limiter" });
export const gates = new Collection("/v1/gates", { kind: "gate", alsoOn: ["check", "breaker", "alert"] });
export const schedules = new Collection("/v1/schedules", { kind: "schedule" });
export const backups = new Collection("/v1/backups", { kind: "backup", key: "backup_id", single: false });
export const retryPolicies = new Collection("/v1/retry-policies", { kind: "retry_policy" });
export const thresholds = new Collection("/v1/thresholds", { kind: "threshold", key: "id", alsoOn: ["alert"] });
export const receivers = new Collection("/v1/receivers", { kind: "receiver" });
export const routes = new Collection("/v1/routes", { kind: "route", alsoOn: ["receiver"] });
export const maintenanceWindows = new Collection("/v1/maintenance-windows", { kind: "maintenance_window" });
export const silences = new Collection("/v1/silences", { kind: "silence", key: "id", single: false });

/** Those that fire. */
export const alerts = new Collection("/v1/alerts", {
  kind: "alert", key: "id", parameters: { state: "firing" }, single: false, alsoOn: ["silence", "maintenance_window"],
});
