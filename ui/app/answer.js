// What one view alone asks the server.

import { get, query } from "./api.js";
import { useEffect, useRef, useState } from "./html.js";
import { listen } from "./live.js";
import { every } from "./pace.js";

/** What the server could not answer is asked again so soon. */
const AGAIN_MS = 2000;

/**
 * The answer to `ask`, as `{ answer, error, again }`. It is asked anew when one of `inputs` changes, after each connection, when
 * an event `concerns` it, by `again`, every so many seconds if that is wanted, and when there was no answer. An error leaves the
 * last answer there, beside it.
 */
export function useAnswer(ask, inputs, concerns = () => false, everySeconds = null) {
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
    const stops = [listen({ event: (event) => concerns(event) && again(), anew: again })];
    if (everySeconds) stops.push(every(everySeconds * 1000, again)); else again();
    return () => { latest = NaN; clearTimeout(timer); stops.forEach((stop) => stop()); };
  }, inputs);
  return known;
}

/**
 * A list read a page at a time, newest first: `{ known: { items, next, error }, load, renew }`. `load` begins anew, or goes on at
 * a cursor; `renew` reads the first page again and keeps the older ones that were read.
 */
export function usePages(path, parameters) {
  const [known, setKnown] = useState({ items: null, next: null });
  /** Which list it is: what was asked of the one before is of no use. */
  const list = useRef(0);
  const read = async (cursor, merge) => {
    const mine = list.current;
    try {
      const page = await get(query(path, { ...parameters, cursor }));
      if (mine === list.current) setKnown((was) => merge(was, { items: page.items, next: page.next_cursor }));
    } catch (error) {
      if (mine === list.current) setKnown((was) => ({ ...was, error }));
    }
  };
  const load = (cursor) => {
    if (cursor) return read(cursor, (was, page) => (was.next === cursor ? { ...page, items: [...was.items, ...page.items] } : was));
    list.current += 1;
    return read(undefined, (_, page) => page);
  };
  const renew = () => read(undefined, onTop);
  return { known, load, renew };
}

/** The first page as it is now, and what was known behind it. */
function onTop(was, page) {
  const oldest = page.items.at(-1)?.id;
  const behind = was.items?.findIndex(({ id }) => id === oldest) ?? -1;
  // More is new than a page holds: what is between is not known.
  if (behind < 0) return page;
  return { items: [...page.items, ...was.items.slice(behind + 1)], next: was.items.length > behind + 1 ? was.next : page.next };
}
