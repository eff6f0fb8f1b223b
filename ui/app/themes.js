// Light, dark, or as the system has it.

import { Store } from "./store.js";

const KEY = "fuseboard.theme";

export const theme = new Store(document.documentElement.dataset.theme ?? "auto");

export function applyTheme(chosen) {
  const root = document.documentElement;
  if (chosen === "auto") delete root.dataset.theme; else root.dataset.theme = chosen;
  try {
    if (chosen === "auto") localStorage.removeItem(KEY); else localStorage.setItem(KEY, chosen);
  } catch {
    // It holds until the page is left.
  }
  theme.set(chosen);
}
