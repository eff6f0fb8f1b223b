// Resources as this page knows them: lists that events keep up to date.

import { all, at, get } from "./api.js";
import { useEffect } from "./html.js";
import { listen } from "./live.js";
import { soon } from "./pace.js";
import { session } from "./session.js";
import { Store, useStore } from "./store.js";

/** Events that come together are answered by one look. */
const LOOK_MS = 120;
/** So many resources are looked at one by one; for more, the list is read. */
const SINGLY = 6;
/** What could not be read is tried again so soon. */
const AGAIN_MS = 2000;

export class Collection {
  /**
   * `path` lists the resources, `kind` is their `resource` in events, `key` names the field with their name. `patch`
   * makes of an item and an event what is known of the item now. `parameters` narrow the list. Items are looked at one by
   * one if they are `single`, and all of them when something happens to resources of the kinds `alsoOn`.
   */
  constructor(path, { kind, key = "name", patch, parameters, single = true, alsoOn } = {}) {
    Object.assign(this, { path, kind, key, patch, parameters, single, alsoOn });
    this.items = new Map();
    this.loadedAt = null;
    this.error = null;
    /** Grows with every change that is shown. */
    this.shown = new Store(0);
    this.show = () => this.shown.set(this.shown.value + 1);
    this.dirty = new Set();
    this.stale = true;
    this.users = new Map();
    this.cost = 0;
    this.nextPoll = null;
    listen({ event: (event) => this.#heard(event), anew: () => this.look(true) });
    document.addEventListener("visibilitychange", () => this.#plan());
  }

  values() {
    return [...this.items.values()];
  }

  /** Somebody shows it, and wants to see it anew every so many seconds; returns how to stop. */
  use(everySeconds) {
    const user = {};
    this.users.set(user, everySeconds);
    // Nobody looked at what happened while it was not shown.
    if (this.stale || this.dirty.size) this.look(); else this.#plan();
    return () => {
      this.users.delete(user);
      // What nobody shows is not said to be old.
      if (!this.users.size && this.error) { this.error = null; this.changed(); }
      this.#plan();
    };
  }

  /** Looks soon: at everything, or at what events named. */
  look(everything = false) {
    this.stale ||= everything;
    if (this.users.size === 0 || session.value.state !== "ready") return;
    this.looking ??= setTimeout(() => this.#fetch(), this.loadedAt ? LOOK_MS : 0);
  }

  /** Takes over what an action was answered with. */
  put(item) {
    this.items.set(item[this.key], item);
    this.changed();
  }

  changed() {
    soon(this.show);
  }

  #heard(event) {
    if (this.alsoOn?.includes(event.resource)) this.look(true);
    if (event.resource !== this.kind) return;
    const item = this.items.get(event.name);
    if (event.kind.endsWith(".deleted")) {
      if (this.items.delete(event.name)) this.changed();
      // What is being read now may still have it, and not every event names what its list goes by.
      if (this.looking || !this.single) this.look(true);
      return;
    }
    if (item && this.patch) {
      const patched = this.patch(item, event);
      if (patched && patched !== item) {
        this.items.set(event.name, patched);
        this.changed();
      }
    }
    this.dirty.add(event.name);
    this.look();
  }

  async #fetch() {
    const names = [...this.dirty];
    const few = !this.stale && this.single && names.length <= SINGLY;
    // What happens while it is read is not in the answer.
    this.dirty.clear();
    this.stale = false;
    try {
      if (few) await Promise.all(names.map((name) => this.#one(name)));
      else await this.#list();
      this.error = null;
    } catch (error) {
      this.error = error;
      this.stale = true;
    }
    this.changed();
    // A long list is not read all the time, whatever happens.
    const rest = few ? 0 : Math.max(200, this.cost * 6);
    setTimeout(() => {
      this.looking = null;
      if (this.dirty.size || (this.stale && !this.error)) this.look();
      this.#plan();
    }, rest);
  }

  async #one(name) {
    try {
      this.#merge(await get(at(this.path, name)));
    } catch (error) {
      if (error.status !== 404) throw error;
      this.items.delete(name);
    }
  }

  async #list() {
    clearTimeout(this.nextPoll);
    const began = performance.now();
    const { items } = await all(this.path, { parameters: this.parameters });
    const before = this.items;
    this.items = new Map();
    for (const item of items) this.#merge(item, before.get(item[this.key]));
    this.cost = performance.now() - began;
    this.loadedAt = Date.now();
  }

  /** An event may have been faster than the answer. */
  #merge(item, before = this.items.get(item[this.key])) {
    const older = before && item.generation !== undefined && item.generation < before.generation;
    this.items.set(item[this.key], older ? before : item);
  }

  /** When the list was read last is what counts: single looks in between put nothing off. */
  #plan() {
    clearTimeout(this.nextPoll);
    const wanted = Math.min(...this.users.values());
    if (!Number.isFinite(wanted)) return;
    // In the background only title and icon show something.
    const pace = document.hidden ? 4 : 1;
    const rest = pace * (this.error ? AGAIN_MS : Math.max(wanted * 1000, this.cost * 12));
    const wait = this.error ? rest : this.loadedAt + rest - Date.now();
    this.nextPoll = setTimeout(() => this.look(true), wait);
  }
}

/** Has the collection loaded and kept up to date while the component is there, which is rendered anew with its changes. */
export function useCollection(collection, everySeconds = 15) {
  useEffect(() => collection.use(everySeconds), [collection, everySeconds]);
  useStore(collection.shown);
}
