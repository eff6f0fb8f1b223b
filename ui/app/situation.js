// How all of it is: for every view, the title and the icon.

import { useCollection } from "./collection.js";
import { useEffect } from "./html.js";
import { connection } from "./live.js";
import { isQuiet, overall, problems } from "./problems.js";
import { breakerHistory, useHistory } from "./history.js";
import {
  alerts, backups, breakers, checks, gates, limiters, maintenanceWindows, receivers, retryPolicies, routes, schedules, silences, thresholds,
} from "./resources.js";
import { plural } from "./format.js";
import { useStore } from "./store.js";

const COLLECTIONS = { breakers, checks, gates, alerts, limiters, schedules };
/** What only views of their own look at. */
const OTHERS = {
  backups, silences, thresholds, receivers, routes, "maintenance windows": maintenanceWindows, "retry policies": retryPolicies,
};

export function useSituation() {
  for (const collection of Object.values(COLLECTIONS)) useCollection(collection);
  for (const { shown } of Object.values(OTHERS)) useStore(shown);
  useHistory(breakerHistory);
  const { state } = useStore(connection);
  const found = problems({
    ...Object.fromEntries(Object.entries(COLLECTIONS).map(([name, collection]) => [name, collection.values()])),
    changesOf: (name) => breakerHistory.changes.get(name),
  });
  const known = Object.values(COLLECTIONS).every((collection) => collection.loadedAt);
  const status = overall(found);
  const loud = found.filter((problem) => problem.gravity !== "note" && !problem.quiet);
  const broken = loud.filter((problem) => problem.gravity === "bad").length;
  const counts = {};
  const grave = {};
  for (const problem of loud) {
    counts[problem.kind] = (counts[problem.kind] ?? 0) + 1;
    if (problem.gravity === "bad") grave[problem.kind] = "bad";
  }
  counts.alert = alerts.values().filter((alert) => !isQuiet(alert)).length;
  if (counts.alert) grave.alert = "bad";
  useEffect(() => show(state === "lost" ? "grey" : known ? status : "grey", state, broken, loud.length), [state, known, status, broken, loud.length]);
  const unread = Object.entries({ ...COLLECTIONS, ...OTHERS }).filter(([, { error }]) => error && error.status !== 0 && error.status !== 401)
    .map(([name, { loadedAt: at, error }]) => ({ name, at, message: error.message }));
  return { found, known, unread, status, broken, loud: loud.length, counts, grave };
}

/** In a few words. */
export function summary({ broken, loud }) {
  if (broken) return `${broken} broken`;
  return loud ? plural(loud, "warning") : "All well";
}

/** In the title and the icon, for who looks at another tab. */
function show(icon, state, broken, loud) {
  const what = summary({ broken, loud });
  document.title = state === "lost" ? "Disconnected · Fuseboard" : icon === "grey" ? "Fuseboard" : `${what} · Fuseboard`;
  const element = document.getElementById("icon");
  const href = element.getAttribute("href").replace(/[a-z]+\.svg$/, `${icon}.svg`);
  if (element.getAttribute("href") !== href) element.setAttribute("href", href);
}
