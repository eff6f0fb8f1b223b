// What one view alone asks the server.

import { get, query } from "./api.js";
import { useEffect, useRef, useState } from "./html.js";
import { listen } from "./live.js";

/** What the server could not answer is asked again so soon. */
const AGAIN_MS = 2000;

/**
 * The answer to `ask`, as `{ answer, error, again }`. It is asked anew when one of `inputs` changes, after each connection, when
 * an event `concerns` it, by `again`, and when there was no answer. An error leaves the last answer there, beside it.
 */
export function useAnswer(ask, inputs, concerns = () => false) {
  const [known, setKnown] = useState({});
  useEffect(() => {
    let latest = 0;
    let timer = null;
    const again = async () => {
      clearTimeout(timer);
      const mine = (latest += 1);
      try {
        const answer = await ask();
        if (mine === latest) setKnown({ answer, again });
      } catch (error) {
        if (mine !== latest) return;
        setKnown((was) => ({ ...was, error, again }));
        if (!error.status || error.status >= 500) timer = setTimeout(again, AGAIN_MS);
      }
    };
    again();
    const stop = listen({ event: (event) => concerns(event) && again(), anew: again });
    return () => { latest = NaN; clearTimeout(timer); stop(); };
  }, inputs);
  return known;
}

/** A list read a page at a time: `[{ items, next, error }, set, load]`; `load` begins anew, or goes on at a cursor. */
export function usePages(path, parameters) {
  const [known, setKnown] = useState({ items: null, next: null });
  const latest = useRef(0);
  const load = async (cursor) => {
    const mine = (latest.current += 1);
    try {
      const page = await get(query(path, { ...parameters, cursor }));
      if (mine !== latest.current) return;
      setKnown((was) => ({ items: cursor ? [...was.items, ...page.items] : page.items, next: page.next_cursor }));
    } catch (error) {
      if (mine === latest.current) setKnown((was) => ({ ...was, error }));
    }
  };
  return [known, setKnown, load];
}
