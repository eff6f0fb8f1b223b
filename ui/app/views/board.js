// The board: every breaker as a switch on a panel.

import { useCollection } from "../collection.js";
import { html, useMemo, useState } from "../html.js";
import { count, matches, plural, words } from "../format.js";
import { breakerHistory, useHistory } from "../history.js";
import { Choice, Filter, Heading, Placeholder, Select } from "../parts/basics.js";
import { Tile } from "../parts/breaker-tile.js";
import { VirtualRows, useWidth } from "../parts/virtual.js";
import { breakers } from "../resources.js";
import { setSearch } from "../router.js";

const TILE_WIDTH = 248;
const TILE_HEIGHT = 128;
const HEAD_HEIGHT = 44;
const GAP = 10;

/** Which come first when they are grouped by state. */
const STATES = ["open", "forced_open", "half_open", "disabled", "metrics_only", "closed"];
const GROUPINGS = [["prefix", "name"], ["state", "state"], ["none", "nothing"]];

export function Board({ search }) {
  useCollection(breakers, 2);
  useHistory(breakerHistory);
  const [box, width] = useWidth();
  const [focused, setFocused] = useState(null);
  const wanted = search.get("q") ?? "";
  const state = search.get("state") ?? "all";
  const by = search.get("by") ?? "prefix";
  const all = breakers.values();
  const found = useMemo(
    () => all.filter(({ name, state: its }) => matches(name, wanted) && (state === "all" || its === state))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    [breakers.shown.value, wanted, state],
  );
  const columns = Math.max(1, Math.floor((width + GAP) / (TILE_WIDTH + GAP)));
  const groups = group(found, by);
  const rows = layOut(groups, columns);
  const rowOf = (name) => rows.find((row) => row.names?.includes(name))?.key;
  return html`
    <${Heading} title="Breakers" sub=${`${plural(all.length, "breaker")}${found.length === all.length ? "" : `, ${count(found.length)} shown`}`} />
    <div class="tools">
      <${Filter} value=${wanted} onInput=${(q) => setSearch({ q })} />
      <${Choice} label="State" value=${state} options=${stateOptions(all)} onChange=${(value) => setSearch({ state: value === "all" ? "" : value })} />
      <${Select} label="Group by" value=${by} options=${GROUPINGS} onChange=${(value) => setSearch({ by: value === "prefix" ? "" : value })} />
    </div>
    <div ref=${box} class="board" onKeyDown=${(event) => move(event, columns)}
      onFocusIn=${(event) => setFocused(event.target.dataset?.name ?? null)}>
      ${found.length === 0
        ? html`<${Placeholder} collection=${breakers} what=${all.length ? "No breaker is like that." : "There is no breaker yet."}
            hint=${all.length ? null : "Declare one with PUT /v1/breakers/{name}, or let the first guarded call make it."} />`
        : width > 0 && html`<${VirtualRows} rows=${rows} label="Breakers" keep=${focused && rowOf(focused)} />`}
    </div>`;
}

function stateOptions(all) {
  const counts = {};
  for (const { state } of all) counts[state] = (counts[state] ?? 0) + 1;
  return [["all", "All", count(all.length)], ...STATES.filter((state) => counts[state]).map((state) => [state, words(state), count(counts[state])])];
}

/** What is before the first separator; breakers that are alone with it stand together. */
function prefix(name) {
  const end = name.search(/[_.:-]/);
  return end > 0 ? name.slice(0, end) : "";
}

function group(found, by) {
  if (by === "none") return [["", found]];
  const groups = new Map();
  for (const breaker of found) {
    const key = by === "state" ? breaker.state : prefix(breaker.name);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(breaker);
  }
  if (by === "state") return STATES.filter((state) => groups.has(state)).map((state) => [words(state), groups.get(state)]);
  const alone = [];
  const several = [...groups].filter(([key, members]) => {
    const stays = key !== "" && members.length > 1;
    if (!stays) alone.push(...members);
    return stays;
  });
  return alone.length ? [...several, [several.length ? "others" : "", alone]] : several;
}

function layOut(groups, columns) {
  const rows = [];
  for (const [title, members] of groups) {
    if (title) rows.push({ key: `group ${title}`, height: HEAD_HEIGHT, draw: () => html`<${GroupHead} title=${title} members=${members} />` });
    for (let i = 0; i < members.length; i += columns) {
      const tiles = members.slice(i, i + columns);
      rows.push({
        key: `tiles ${title} ${i}`, height: TILE_HEIGHT + GAP, names: tiles.map(({ name }) => name),
        draw: () => html`<div class="tiles" style=${{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}>
          ${tiles.map((breaker) => html`<${Tile} key=${breaker.name} breaker=${breaker} />`)}</div>`,
      });
    }
  }
  return rows;
}

function GroupHead({ title, members }) {
  const wrong = members.filter(({ state }) => state === "open" || state === "forced_open" || state === "half_open").length;
  return html`<h2 class="group">${title} <span class="count">${count(members.length)}</span>
    ${wrong > 0 && html`<span class="wrong">${wrong} not closed</span>`}</h2>`;
}

const STEPS = { ArrowLeft: () => -1, ArrowRight: () => 1, ArrowUp: (columns) => -columns, ArrowDown: (columns) => columns };

/** Arrow keys go from breaker to breaker. */
function move(event, columns) {
  const name = event.target.dataset?.name;
  const step = STEPS[event.key]?.(columns);
  if (!name || !step) return;
  const tiles = [...event.currentTarget.querySelectorAll("[data-name]")];
  const at = tiles.findIndex((tile) => tile.dataset.name === name);
  const next = tiles[Math.min(tiles.length - 1, Math.max(0, at + step))];
  event.preventDefault();
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
