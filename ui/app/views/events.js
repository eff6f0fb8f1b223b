// What happened, newest first, and as it happens.

import { get, query } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { listen } from "../live.js";
import { Failure, Filter, Heading, Panel, Select } from "../parts/basics.js";
import { EventList } from "../parts/event-list.js";
import { setSearch } from "../router.js";

const PAGE = 100;
/** So many are shown at most; older ones are a page away. */
const MOST = 1000;
const RESOURCES = ["breaker", "limiter", "retry_policy", "check", "gate", "schedule", "backup", "retention", "threshold", "alert",
  "silence", "receiver", "route", "maintenance_window"];

export function Events({ search }) {
  const resource = search.get("resource") ?? "";
  const name = search.get("name") ?? "";
  const [known, setKnown] = useState({ items: [], next: null });
  const [paused, setPaused] = useState(false);
  const load = async (cursor) => {
    try {
      const page = await get(query("/v1/events", { limit: PAGE, resource, name, cursor }));
      setKnown((was) => ({ items: cursor ? [...was.items, ...page.items] : page.items, next: page.next_cursor }));
    } catch (error) {
      setKnown((was) => ({ ...was, error }));
    }
  };
  useEffect(() => {
    const wait = setTimeout(() => load(), name ? 200 : 0);
    return () => clearTimeout(wait);
  }, [resource, name]);
  useEffect(() => (paused ? undefined : follow({ resource, name }, setKnown, load)), [resource, name, paused]);
  return html`
    <${Heading} title="Events" sub="What happened, newest first.">
      <button type="button" class="button" aria-pressed=${paused} onClick=${() => { if (paused) load(); setPaused(!paused); }}>${paused ? "Go on" : "Pause"}</button>
    </${Heading}>
    <div class="tools">
      <${Filter} value=${name} label="Exact name of the resource" placeholder="Exact name" onInput=${(text) => setSearch({ name: text.trim() })} />
      <${Select} label="Of" value=${resource} options=${[["", "everything"], ...RESOURCES.map((one) => [one, one.replaceAll("_", " ")])]}
        onChange=${(value) => setSearch({ resource: value })} />
    </div>
    <${Panel} className="flush">
      <${Failure} error=${known.error} />
      <${EventList} events=${known.items} empty="There is nothing like that." />
      ${known.next && html`<p class="placeholder"><button type="button" class="button" onClick=${() => load(known.next)}>Older ones</button></p>`}
    </${Panel}>`;
}

/** Puts new ones on top, a few times a second at most. */
function follow({ resource, name }, setKnown, load) {
  let waiting = [];
  let timer = null;
  const show = () => {
    timer = null;
    const fresh = waiting.reverse();
    waiting = [];
    setKnown((was) => {
      const there = new Set(was.items.map(({ id }) => id));
      return { ...was, items: [...fresh.filter(({ id }) => !there.has(id)), ...was.items].slice(0, MOST) };
    });
  };
  const stop = listen({
    event(event) {
      if ((resource && event.resource !== resource) || (name && event.name !== name)) return;
      waiting.push(event);
      if (waiting.length > MOST) waiting.shift();
      timer ??= setTimeout(show, 250);
    },
    anew: () => load(),
  });
  return () => { stop(); clearTimeout(timer); };
}
