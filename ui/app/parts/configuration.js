// A resource's configuration, as facts.

import { number, percent, words } from "../format.js";

/** Every field that is set; those of a breaker's window on lines of their own. */
export function configuration({ window, ...config }) {
  return [...lines(config, ""), ...lines(window ?? {}, "window ")];
}

function lines(config, lead) {
  return Object.entries(config).filter(([, value]) => value !== null && value !== "")
    .map(([field, value]) => [lead + words(field).replace(/ seconds$/, ""), shown(field, value)]);
}

function shown(field, value) {
  if (field.endsWith("_seconds")) return `${number(value)} s`;
  if (typeof value === "number") return field.endsWith("_rate") ? percent(value) : number(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
