// Checks, in the manner of status pages: how each was in the last day.

import { useCollection } from "../collection.js";
import { html } from "../html.js";
import { count, matches, plural } from "../format.js";
import { checkHistory, useHistory } from "../history.js";
import { Bars, describe, worst } from "../parts/bars.js";
import { Choice, Filter, Heading, MOST_ROWS, Placeholder, Rest, State, TONES, Tag } from "../parts/basics.js";
import { RunCheck } from "../parts/check-actions.js";
import { checks } from "../resources.js";
import { link, setSearch } from "../router.js";
import { Ago, useNow } from "../time.js";

const SLOTS = 96;
const ORDER = ["red", "stale", "yellow", "green"];

export const shows = (check) => (check.stale ? "stale" : check.status);

export function Checks({ search }) {
  useCollection(checks, 10);
  useHistory(checkHistory);
  const now = useNow();
  const wanted = search.get("q") ?? "";
  const status = search.get("status") ?? "all";
  const all = checks.values();
  const found = all
    .filter((check) => matches(check.name, wanted) && (status === "all" || shows(check) === status))
    .sort((a, b) => ORDER.indexOf(shows(a)) - ORDER.indexOf(shows(b)) || (a.name < b.name ? -1 : 1));
  const counts = Object.fromEntries(ORDER.map((one) => [one, all.filter((check) => shows(check) === one).length]));
  return html`
    <${Heading} title="Checks" sub=${plural(all.length, "check")} />
    <div class="tools">
      <${Filter} value=${wanted} onInput=${(q) => setSearch({ q })} />
      <${Choice} label="Status" value=${status} onChange=${(value) => setSearch({ status: value === "all" ? "" : value })}
        options=${[["all", "All", count(all.length)], ...ORDER.filter((one) => counts[one]).map((one) => [one, one, count(counts[one])])]} />
    </div>
    ${found.length === 0
      ? html`<${Placeholder} collection=${checks} what=${all.length ? "No check is like that." : "There is no check yet."}
          hint=${all.length ? null : "Declare one with PUT /v1/checks/{name}."} />`
      : html`<ul class="checks panel flush">${found.slice(0, MOST_ROWS).map((check) => html`<${Row} key=${check.name} check=${check} now=${now} />`)}</ul>`}
    <${Rest} all=${found} />`;
}

function Row({ check, now }) {
  const { name, kind, critical, message, error } = check;
  const slots = checkHistory.slots(name, SLOTS, shows(check), check.changed_at, worst, now);
  return html`<li>
    <div class="id"><a href=${link("checks", name)}>${name}</a>${" "}<span class="tags"><${Tag}>${kind}</${Tag}>${!critical && html` <${Tag}>not critical</${Tag}>`}</span></div>
    <${State} state=${shows(check)} tone=${TONES[shows(check)]} />
    <p class="said">${error || message}</p>
    <p class="when">${check.timestamp ? html`<${Ago} at=${check.timestamp} short=${true} />` : html`<span class="none">no result</span>`}</p>
    <${RunCheck} check=${check} />
    <div class="day"><${Bars} slots=${slots} label=${describe(slots, "last 24 hours")} /></div>
  </li>`;
}
