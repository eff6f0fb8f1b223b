// A value that components follow.

import { useEffect, useState } from "./html.js";

export class Store {
  #value;
  #followers = new Set();

  constructor(value) {
    this.#value = value;
  }

  get value() {
    return this.#value;
  }

  set(value) {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const follower of [...this.#followers]) follower(value);
  }

  follow(follower) {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}

/** The store's value; the component is rendered anew when it changes. */
export function useStore(store) {
  const [, again] = useState(0);
  const shown = store.value;
  useEffect(() => {
    const stop = store.follow(() => again((n) => n + 1));
    // It may have changed between rendering and following.
    if (!Object.is(shown, store.value)) again((n) => n + 1);
    return stop;
  }, [store]);
  return shown;
}
