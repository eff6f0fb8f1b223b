// Short messages about what was done.

import { html } from "../html.js";
import { Store, useStore } from "../store.js";

const SHOWN_MS = 6000;
const toasts = new Store([]);
let next = 1;

export function toast(text, tone = "good") {
  const id = next++;
  toasts.set([...toasts.value, { id, text, tone }].slice(-4));
  setTimeout(() => toasts.set(toasts.value.filter((one) => one.id !== id)), SHOWN_MS);
}

export function Toasts() {
  const shown = useStore(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.map(({ id, text, tone }) => html`<p key=${id} class=${tone}>${text}</p>`)}
  </div>`;
}
