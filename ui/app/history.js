// What happened lately, out of the board's events: the states of breakers in the last hour, of checks in the last day.

import { all } from "./api.js";
import { useEffect } from "./html.js";
import { listen } from "./live.js";
import { soon } from "./pace.js";
import { Store, useStore } from "./store.js";

/** For each name at most so many changes are remembered. */
const MOST = 200;
/** And so many events are read to begin with. */
const MOST_EVENTS = 5000;
/** What the server could not tell is asked again so soon. */
const AGAIN_MS = 5000;

class History {
  /** Of a resource's events of `kind`; `state` makes of an event's data what it was `before` and is `after`. */
  constructor(resource, kind, spanMs, state) {
    Object.assign(this, { resource, kind, spanMs, state });
    /** By name, oldest first: `{ at, before, after, event }`. */
    this.changes = new Map();
    /** When names were declared, if that was lately. */
    this.created = new Map();
    /** Since when everything is known. */
    this.from = Date.now();
    this.shown = new Store(0);
    this.show = () => this.shown.set(this.shown.value + 1);
    this.loaded = false;
    /** What was heard while the past is being read; null while it is not. */
    this.meanwhile = null;
    listen({ event: (event) => this.#heard(event), anew: () => { if (this.loaded) this.load(); } });
  }

  async load() {
    this.loaded = true;
    if (this.meanwhile) return;
    this.meanwhile = [];
    const from = Date.now() - this.spanMs;
    try {
      const { items, complete } = await all("/v1/events", {
        parameters: { resource: this.resource },
        most: MOST_EVENTS,
        until: (event) => Date.parse(event.at) < from,
      });
      this.changes = new Map();
      for (const event of items.reverse()) this.#add(event);
      const last = items.at(-1)?.id ?? 0;
      for (const event of this.meanwhile) if (event.id > last) this.#add(event);
      this.from = complete || !items.length ? from : Date.parse(items[0].at);
      this.show();
    } catch (error) {
      // Without a connection that one's state says so, and it is read anew when that is back.
      if (error.status >= 500) setTimeout(() => this.load(), AGAIN_MS);
    } finally {
      this.meanwhile = null;
    }
  }

  #heard(event) {
    if (!this.loaded || event.resource !== this.resource) return;
    this.meanwhile?.push(event);
    this.#add(event);
    soon(this.show);
  }

  #add(event) {
    const at = Date.parse(event.at);
    if (event.kind === `${this.resource}.created`) this.created.set(event.name, at);
    if (event.kind !== this.kind) return;
    const changes = this.changes.get(event.name) ?? [];
    changes.push({ at, event, ...this.state(event.data) });
    if (changes.length > MOST) changes.shift();
    this.changes.set(event.name, changes);
  }

  /**
   * How it was in each of `slots` equal parts of the time until now: a list of `worst`'s choice among the states that it
   * had, null where that is not known. `present` is its state now, `since` when that began.
   */
  slots(name, slots, present, since, worst, now = Date.now()) {
    const start = now - this.spanMs;
    const width = this.spanMs / slots;
    const result = new Array(slots).fill(null);
    const note = (from, to, state) => {
      const first = Math.max(0, Math.floor((Math.max(from, this.from) - start) / width));
      const last = Math.min(slots - 1, Math.floor((to - start) / width));
      for (let slot = first; slot <= last; slot += 1) {
        result[slot] = result[slot] === null ? state : worst(result[slot], state);
      }
    };
    const changes = (this.changes.get(name) ?? []).filter((change) => change.at >= start);
    if (!changes.length) {
      note(Math.min(Date.parse(since), now), now, present);
      return result;
    }
    note(Math.max(start, this.created.get(name) ?? start), changes[0].at, changes[0].before);
    changes.forEach((change, i) => note(change.at, changes[i + 1]?.at ?? now, change.after));
    return result;
  }
}

export const breakerHistory = new History("breaker", "breaker.transition", 3_600_000, ({ from, to }) => ({ before: from, after: to }));

export const checkHistory = new History("check", "check.changed", 86_400_000, ({ from, was_stale, to, stale }) => ({
  before: was_stale ? "stale" : from, after: stale ? "stale" : to,
}));

/** Has the history loaded, and the component rendered anew with its changes. */
export function useHistory(history) {
  useEffect(() => { if (!history.loaded) history.load(); }, [history]);
  useStore(history.shown);
}
