// One backup: its documents, whether it is whole, what differs, who restored it.

import { useAnswer } from "../answer.js";
import { all, at, get, getText, post, query, send } from "../api.js";
import { useCollection } from "../collection.js";
import { html } from "../html.js";
import { bytes, labels } from "../format.js";
import { Action, Facts, Failure, Heading, Panel, Select, Table } from "../parts/basics.js";
import { act, doNow } from "../parts/dialog.js";
import { Diff } from "../parts/diff.js";
import { saveAs } from "../parts/download.js";
import { backups } from "../resources.js";
import { link, setSearch } from "../router.js";
import { At } from "../time.js";
import { Whole } from "./backups.js";

const documentPath = (id, file) => at("/v1/backups", id, "data", file.replace(/\.json$/, ""));

export function Backup({ parts: [, id], search }) {
  useCollection(backups, 60);
  const { answer, error, again } = useAnswer(
    () => Promise.all([get(at("/v1/backups", id)), all(at("/v1/backups", id, "restores"), { most: 1000 })]),
    [id],
    (event) => event.resource === "backup",
  );
  if (!answer) {
    return html`<${Heading} title=${id} /><p class="placeholder">${error?.message ?? "Loading…"} <a href="#/backups">All backups</a></p>`;
  }
  const [backup, { items: restores }] = answer;
  return html`
    <p class="crumb"><a href="#/backups">Backups</a></p>
    <${Heading} title=${id}><${Actions} backup=${backup} again=${() => { again(); backups.look(true); }} /></${Heading}>
    <${Failure} error=${error} />
    ${backup.errors.length > 0 && html`<${Panel} title="Damaged" className="is-bad"><ul>${backup.errors.map((text) => html`<li key=${text}>${text}</li>`)}</ul></${Panel}>`}
    <div class="columns">
      <${Panel} title="Backup"><${Facts} facts=${[
        ["Taken", html`<${At} at=${backup.timestamp} />`], ["Type", backup.backup_type], ["Whole", html`<${Whole} backup=${backup} />`],
        ["Size", bytes(backup.size_bytes)], ["Packed", bytes(backup.stored_bytes)], ["Labels", labels(backup.labels) || "none"],
        ["Pinned", backup.pinned ? "yes" : "no"], ["By", backup.actor], ["Source", backup.source],
        ["SHA-256", html`<span class="name">${backup.sha256}</span>`],
      ]} /></${Panel}>
      <${Panel} title="Documents"><ul class="files">${backup.files.map((file) => html`<li key=${file}><span class="name">${file}</span>
        <${Action} scope="read" label=${`Download ${file}`} onClick=${() => doNow(() => download(documentPath(id, file), file))}>Download</${Action}></li>`)}</ul></${Panel}>
    </div>
    <${Compare} backup=${backup} against=${search.get("against") ?? ""} />
    <${Panel} title="Restored" className="flush">
      ${restores.length === 0 ? html`<p class="placeholder">Nobody has restored it.</p>`
        : html`<${Table} label="Restores" columns=${RESTORES} rows=${restores} rowKey=${(one) => one.id} />`}
    </${Panel}>`;
}

async function download(path, name) {
  const response = await send("GET", path);
  saveAs(await response.blob(), name);
  return `${name} is downloaded`;
}

function Actions({ backup, again }) {
  const { backup_id: id, pinned } = backup;
  const verify = () => doNow(async () => {
    const { valid, errors } = await post(at("/v1/backups", id, "verify"));
    again();
    if (!valid) throw new Error(`Damaged: ${errors.join("; ")}`);
    return "The backup is whole";
  });
  const pin = () => doNow(async () => {
    await send(pinned ? "DELETE" : "PUT", at("/v1/backups", id, "pin"));
    again();
    return pinned ? "No longer pinned" : "Pinned: no policy deletes it";
  });
  return html`
    <${Action} scope="read" onClick=${() => doNow(() => download(at("/v1/backups", id, "data"), `${id}.json`))}>Download all</${Action}>
    <${Action} onClick=${verify}>Verify</${Action}>
    <${Action} onClick=${() => restore(backup, again)}>Restore</${Action}>
    <${Action} onClick=${pin}>${pinned ? "Unpin" : "Pin"}</${Action}>`;
}

function restore({ backup_id: id }, again) {
  act({
    title: "Restore", text: "The documents are downloaded, and it is recorded that they were restored.",
    fields: [{ name: "reason", label: "Reason", placeholder: "for the record" }], button: "Restore",
    run: async ({ reason }) => {
      const { restore: record } = await post(at("/v1/backups", id, "restore"), { reason: reason || undefined, client: "web page" });
      again();
      // Not what was parsed here: that has no numbers of more than 53 bits.
      await download(at("/v1/backups", id, "data"), `${id}.json`);
      return `Restore ${record.id} is recorded`;
    },
  });
}

function Compare({ backup, against }) {
  const others = backups.values().filter((other) => other.backup_id !== backup.backup_id && other.backup_type === backup.backup_type);
  return html`<${Panel} title="What differs" className="flush">
    <div class="padded">
      ${others.length === 0 ? html`<p class="sub">There is no other backup of this type.</p>`
        : html`<${Select} label="Compared with" value=${against} onChange=${(value) => setSearch({ against: value })}
            options=${[["", "choose a backup"], ...others.slice(0, 200).map((other) => [other.backup_id, other.backup_id])]} />`}
    </div>
    ${against && html`<${Differences} key=${against} from=${against} to=${backup.backup_id} />`}
  </${Panel}>`;
}

/** Old values are shown where documents are small. */
const SMALL = 1 << 20;

/** What makes the other one this one. */
function Differences({ from, to }) {
  const { answer, error } = useAnswer(async () => {
    const [patch, { size_bytes: size }] = await Promise.all([
      getText(query(at("/v1/backups", from, "diff"), { against: to })), get(at("/v1/backups", from)),
    ]);
    return { patch, before: size > SMALL ? undefined : await getText(at("/v1/backups", from, "data")) };
  }, [from, to]);
  if (error) return html`<div class="padded"><${Failure} error=${error} /></div>`;
  if (!answer) return html`<p class="placeholder" aria-busy="true">Comparing…</p>`;
  return html`<p class="padded sub">From <a class="name" href=${link("backups", from)}>${from}</a> to this one.
      ${answer.before === undefined && " It is too large to show its values."}</p>
    <${Diff} patch=${answer.patch} before=${answer.before} />`;
}

const RESTORES = [
  ["When", (one) => html`<${At} at=${one.timestamp} />`, "nowrap"],
  ["By", (one) => one.actor ?? "", "name"],
  ["Client", (one) => one.client ?? "", "name"],
  ["Reason", (one) => one.reason ?? "", "wide"],
  ["Saved before", (one) => one.pre_restore_backup_id && html`<a class="name" href=${link("backups", one.pre_restore_backup_id)}>${one.pre_restore_backup_id}</a>`],
];
