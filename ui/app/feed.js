// Events, newest first, and as they happen.

import { usePages } from "./answer.js";
import { useEffect } from "./html.js";
import { listen } from "./live.js";

/** New ones are shown a few times a second at most. */
const PACE_MS = 250;
const TYPING_MS = 200;

/** `[{ items, next, error }, load]` as of `usePages`, with new ones on top unless it is `paused`; `most` are kept. */
export function useFeed({ resource = "", name = "", page, most, paused = false }) {
  const [known, setKnown, load] = usePages("/v1/events", { limit: page, resource, name });
  useEffect(() => {
    const wait = setTimeout(() => load(), name ? TYPING_MS : 0);
    return () => clearTimeout(wait);
  }, [resource, name]);
  useEffect(() => {
    if (paused) return undefined;
    let waiting = [];
    let timer = null;
    const show = () => {
      timer = null;
      const fresh = waiting.reverse();
      waiting = [];
      setKnown((was) => {
        const items = was.items ?? [];
        const there = new Set(items.map(({ id }) => id));
        return { ...was, items: [...fresh.filter(({ id }) => !there.has(id)), ...items].slice(0, most) };
      });
    };
    const stop = listen({
      event(event) {
        if ((resource && event.resource !== resource) || (name && event.name !== name)) return;
        waiting.push(event);
        if (waiting.length > most) waiting.shift();
        timer ??= setTimeout(show, PACE_MS);
      },
      anew: () => load(),
    });
    return () => { stop(); clearTimeout(timer); };
  }, [resource, name, paused]);
  return [known, load];
}
