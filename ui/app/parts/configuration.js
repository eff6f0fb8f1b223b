// A resource's configuration, as facts.

import { number, percent, words } from "../format.js";

/** Every field that says something; those of a breaker's window on lines of their own. */
export function configuration({ window, ...config }) {
  return [...lines(config, ""), ...lines(window ?? {}, "window ")];
}

function lines(config, lead) {
  return Object.entries(config).filter(([, value]) => !isEmpty(value))
    .map(([field, value]) => [lead + words(field).replace(/ seconds$/, ""), shown(field, value)]);
}

function isEmpty(value) {
  return value === null || value === "" || (typeof value === "object" && Object.keys(value).length === 0);
}

function shown(field, value) {
  if (field.endsWith("_seconds")) return `${number(value)} s`;
  if (typeof value === "number") return field.endsWith("_rate") ? percent(value) : number(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
