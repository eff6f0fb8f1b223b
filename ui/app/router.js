// Which view is shown: the part of the address behind `#/`.

import { Store } from "./store.js";

function parse() {
  const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
  return {
    parts: path.split("/").filter(Boolean).map(decode),
    search: new URLSearchParams(search ?? ""),
  };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = new Store(parse());

addEventListener("hashchange", () => route.set(parse()));

/** The address of a view. */
export function link(...parts) {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

const VIEWS = { breaker: "breakers", check: "checks", schedule: "schedules", alert: "alerts", backup: "backups" };
/** What has no view of its own is in a list. */
const LISTS = {
  limiter: "limiters", retry_policy: "retry-policies", gate: "gates", silence: "silences", maintenance_window: "silences",
  threshold: "thresholds", receiver: "receivers", route: "receivers",
};

/** The address of where a resource is shown, or null. */
export function linkTo(resource, name) {
  if (VIEWS[resource]) return link(VIEWS[resource], String(name));
  if (resource === "threshold") return `${link("thresholds")}?${new URLSearchParams({ q: name })}`;
  return LISTS[resource] ? link(LISTS[resource]) : null;
}

/** Keeps what is chosen in a view in its address, without a step in the browser's history. */
export function setSearch(changes) {
  const search = new URLSearchParams(route.value.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value) search.set(name, value); else search.delete(name);
  }
  const text = search.toString();
  history.replaceState(null, "", `${link(...route.value.parts)}${text ? `?${text}` : ""}`);
  route.set(parse());
}
