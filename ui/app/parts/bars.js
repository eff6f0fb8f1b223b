// How something was over time, a bar for each part of it.

import { html } from "../html.js";
import { words } from "../format.js";

/** From well to bad; what is further right wins within a bar. */
const ORDER = [
  "green", "closed", "metrics_only", "disabled", "yellow", "half_open", "stale", "forced_open", "red", "open",
];

export function worst(a, b) {
  return ORDER.indexOf(a) >= ORDER.indexOf(b) ? a : b;
}

/** What a bar's height is, as a share: what is well is low, so that the rest stands out without colour. */
const HEIGHTS = {
  green: 0.45, closed: 0.45, metrics_only: 0.45, disabled: 0.45, yellow: 0.75, half_open: 0.75, stale: 0.75,
};

/** `slots` as `History.slots` makes them. One path for each state, whatever there is to draw. */
export function Bars({ slots, label, className = "" }) {
  const paths = new Map();
  slots.forEach((state, i) => {
    const height = state === null ? 0.12 : HEIGHTS[state] ?? 1;
    const name = state ?? "unknown";
    const top = 20 * (1 - height);
    paths.set(name, `${paths.get(name) ?? ""}M${i * 4} ${top}h3V20h-3z`);
  });
  return html`<svg class=${`bars ${className}`} viewBox=${`0 0 ${slots.length * 4 - 1} 20`} preserveAspectRatio="none"
    role="img" aria-label=${label}>
    ${[...paths].map(([name, d]) => html`<path key=${name} class=${name} d=${d} />`)}
  </svg>`;
}

/** In words, for those who do not see the bars. */
export function describe(slots, over) {
  const known = slots.filter((state) => state !== null);
  if (!known.length) return `${over}: nothing known`;
  const share = (state) => Math.round((100 * known.filter((one) => one === state).length) / known.length);
  const states = [...new Set(known)].map((state) => `${words(state)} ${share(state)} %`);
  return `${over}: ${states.join(", ")}`;
}
