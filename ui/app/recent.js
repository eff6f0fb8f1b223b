// The latest events of the board.

import { get } from "./api.js";
import { useEffect } from "./html.js";
import { listen } from "./live.js";
import { soon } from "./pace.js";
import { Store, useStore } from "./store.js";

const MOST = 100;

const recent = new Store([]);
let waiting = [];
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

function show() {
  const known = new Set(recent.value.map((one) => one.id));
  const fresh = waiting.filter((one) => !known.has(one.id)).reverse();
  waiting = [];
  recent.set([...fresh, ...recent.value].slice(0, MOST));
}

listen({
  event(event) {
    if (!loaded) return;
    waiting.push(event);
    soon(show);
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
