// A breaker as a switch on a panel. The position of the lever, its shape and a letter tell the state without colour.

import { html } from "../html.js";

/** Where the lever's middle is, from the top of its slot, and what is written on it. */
const POSITIONS = {
  closed: [13, "I"], metrics_only: [13, "M"], half_open: [24, "½"], open: [35, "O"], forced_open: [35, "O"], disabled: [13, "–"],
};

export function Switch({ state }) {
  const [y, letter] = POSITIONS[state] ?? [24, "?"];
  return html`<svg class=${`switch ${state}`} viewBox="0 0 30 48" aria-hidden="true">
    <rect class="plate" x=".75" y=".75" width="28.5" height="46.5" rx="3" />
    <rect class="slot" x="7" y="5" width="16" height="38" rx="2" />
    <rect class="lever" x="5" y=${y - 7} width="20" height="14" rx="2" />
    <text class="letter" x="15" y=${y + 4}>${letter}</text>
    ${state === "forced_open" && html`<path class="lock" d="M3 22h24M3 25h24" />`}
    ${state === "disabled" && html`<path class="bypass" d="M26 4v40" />`}
  </svg>`;
}
