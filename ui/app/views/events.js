// What happened, newest first, and as it happens.

import { useFeed } from "../feed.js";
import { words } from "../format.js";
import { html, useState } from "../html.js";
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
  const [paused, setPaused] = useState(false);
  const [known, load] = useFeed({ resource, name, page: PAGE, most: MOST, paused });
  return html`
    <${Heading} title="Events" sub="What happened, newest first.">
      <button type="button" class="button" aria-pressed=${paused} onClick=${() => { if (paused) load(); setPaused(!paused); }}>${paused ? "Go on" : "Pause"}</button>
    </${Heading}>
    <div class="tools">
      <${Filter} value=${name} label="Exact name of the resource" placeholder="Exact name" onInput=${(text) => setSearch({ name: text.trim() })} />
      <${Select} label="Of" value=${resource} options=${[["", "everything"], ...RESOURCES.map((one) => [one, words(one)])]}
        onChange=${(value) => setSearch({ resource: value })} />
    </div>
    <${Panel} className="flush">
      <${Failure} error=${known.error} />
      <${EventList} events=${known.items} empty="There is nothing like that." />
      ${known.next && html`<p class="placeholder"><button type="button" class="button" onClick=${() => load(known.next)}>Older ones</button></p>`}
    </${Panel}>`;
}
