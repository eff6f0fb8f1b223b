// Whether the server has another page by now: this one goes on, but parts of it that were not loaded yet are gone.

import { listen } from "./live.js";
import { Store } from "./store.js";

/** The files of this page stand below their version. */
const MINE = new URL(import.meta.url).pathname.split("/")[2];

export const outdated = new Store(false);

listen({
  async anew() {
    try {
      const tag = (await fetch("/", { method: "HEAD", cache: "no-store" })).headers.get("etag");
      outdated.set(Boolean(tag) && !tag.includes(MINE));
    } catch {
      // The state of the connection says so.
    }
  },
});
