// Events, newest first, and as they happen.

import { usePages } from "./answer.js";
import { useEffect, useState } from "./html.js";
import { listen } from "./live.js";

/** New ones are shown a few times a second at most. */
const PACE_MS = 250;
const TYPING_MS = 200;

/** `[{ items, next, error }, load]` as of `usePages`, with new ones on top unless it is `paused`; about `most` are kept. */
export function useFeed({ resource = "", name = "", page, most, paused = false }) {
  const { known, load } = usePages("/v1/events", { limit: page, resource, name });
  /** What was heard, newest first, whatever of it is in a page that was asked for before or since. */
  const [heard, setHeard] = useState([]);
  useEffect(() => {
    setHeard([]);
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
      setHeard((was) => [...fresh, ...was].slice(0, most));
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
  return [{ ...known, items: known.items && together(heard, known.items, most) }, load];
}

/** Each once, newest first; older ones that were asked for stay. */
function together(heard, read, most) {
  const once = new Map([...read, ...heard].map((event) => [event.id, event]));
  return [...once.values()].sort((a, b) => b.id - a.id).slice(0, Math.max(most, read.length));
}
