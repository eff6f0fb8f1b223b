// Matchers: which alerts something is about.

import { html } from "../html.js";

/** What stands in the lines of a field. */
export function lines(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

export function Matchers({ matchers, none = "all alerts" }) {
  if (!matchers?.length) return html`<span class="none">${none}</span>`;
  return matchers.map((matcher) => html`<span class="matcher name" key=${matcher}>${matcher}</span>`);
}
