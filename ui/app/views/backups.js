// Backups: what there is, and how large.

import { useCollection } from "../collection.js";
import { html } from "../html.js";
import { bytes, count, labels, matches, plural } from "../format.js";
import { Filter, Heading, Panel, Placeholder, Select, State, Table, Tag } from "../parts/basics.js";
import { backups } from "../resources.js";
import { link, setSearch } from "../router.js";
import { Ago, At } from "../time.js";

export function Backups({ search }) {
  useCollection(backups, 30);
  const type = search.get("type") ?? "";
  const wanted = search.get("q") ?? "";
  const all = backups.values();
  const types = [...new Set(all.map((backup) => backup.backup_type))].sort();
  const found = all.filter((backup) => (!type || backup.backup_type === type)
    && matches(`${backup.backup_id} ${labels(backup.labels)}`, wanted));
  const stored = all.reduce((sum, backup) => sum + backup.stored_bytes, 0);
  return html`
    <${Heading} title="Backups" sub=${`${plural(all.length, "backup")}, ${bytes(stored)} packed`} />
    <div class="tools">
      <${Filter} value=${wanted} placeholder="Filter by id or label" onInput=${(q) => setSearch({ q })} />
      <${Select} label="Type" value=${type} options=${[["", "all"], ...types.map((one) => [one, one])]} onChange=${(value) => setSearch({ type: value })} />
    </div>
    <${Panel} className="flush">
      ${found.length === 0
        ? html`<${Placeholder} collection=${backups} what=${all.length ? "No backup is like that." : "There is no backup yet."}
            hint=${all.length ? null : "Store one with POST /v1/backups, or declare a schedule that does."} />`
        : html`<${Table} label="Backups" columns=${COLUMNS} rows=${found} rowKey=${({ backup_id: id }) => id} />`}
    </${Panel}>`;
}

/** Whether it was found whole. */
export function Whole({ backup }) {
  if (backup.errors.length) return html`<${State} state="damaged" tone="bad" />`;
  return backup.verified_at
    ? html`<${State} state="whole" tone="good" /> <span class="sub"><${Ago} at=${backup.verified_at} short=${true} /></span>`
    : html`<${State} state="unverified" tone="off" text="not verified" />`;
}

const COLUMNS = [
  ["Taken", ({ timestamp: at }) => html`<${At} at=${at} />`, "nowrap"],
  ["Backup", ({ backup_id: id }) => html`<a href=${link("backups", id)}>${id}</a>`, "name"],
  ["Type", ({ backup_type: type }) => type, "name"],
  ["Documents", ({ files }) => count(files.length), "number"],
  ["Size", ({ size_bytes: n }) => bytes(n), "number"],
  ["Packed", ({ stored_bytes: n }) => bytes(n), "number"],
  ["Whole", (backup) => html`<${Whole} backup=${backup} />`, "nowrap"],
  ["Labels", (backup) => html`${backup.pinned && html`<${Tag}>pinned</${Tag}> `}<span class="name">${labels(backup.labels)}</span>`, "said"],
];
