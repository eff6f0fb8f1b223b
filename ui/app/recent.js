// The latest events of the board.

import { get } from "./api.js";
import { useEffect } from "./html.js";
import { listen } from "./live.js";
import { Store, useStore } from "./store.js";

const MOST = 100;
const SHOW_MS = 250;

const recent = new Store([]);
let waiting = [];
let showing = null;
let loaded = false;

async function load() {
  try {
    const { items } = await get(`/v1/events?limit=${MOST}`);
    loaded = true;
    waiting = [];
    recent.set(items);
  } catch {
    // The state of the connection says so.
  }
}

listen({
  event(event) {
    if (!loaded) return;
    waiting.push(event);
    showing ??= setTimeout(() => {
      showing = null;
      const known = new Set(recent.value.slice(0, MOST).map((one) => one.id));
      const fresh = waiting.filter((one) => !known.has(one.id)).reverse();
      waiting = [];
      recent.set([...fresh, ...recent.value].slice(0, MOST));
    }, SHOW_MS);
  },
  anew() {
    if (loaded) load();
  },
});

/** Newest first. */
export function useRecentEvents() {
  useEffect(() => { if (!loaded) load(); }, []);
  return useStore(recent);
}
