// Small things that all views are made of.

import { html } from "../html.js";
import { count, words } from "../format.js";
import { may, session } from "../session.js";
import { useStore } from "../store.js";

/** The shape of each tone, so that none is told by colour alone. */
const GLYPHS = { good: "M2 6.5 5 9.5 10 3", bad: "M3 3l6 6M9 3l-6 6", warn: "M6 2v5M6 9.4v.6", note: "M3 6h6", off: "M3 6h6" };

export const TONES = {
  closed: "good", open: "bad", half_open: "warn", forced_open: "forced", disabled: "off", metrics_only: "note",
  green: "good", yellow: "warn", red: "bad", stale: "warn", blocked: "warn",
  critical: "bad", error: "bad", warning: "warn", info: "note", firing: "bad", resolved: "good",
  active: "note", pending: "warn", expired: "off", succeeded: "good", failed: "bad", missed: "warn", running: "note",
};

export function Glyph({ tone }) {
  const path = GLYPHS[tone] ?? GLYPHS.bad;
  return html`<svg class=${`glyph ${tone}`} viewBox="0 0 12 12" aria-hidden="true"><path d=${path} /></svg>`;
}

/** A state: a shape and a word in its colour. */
export function State({ state, tone = TONES[state] ?? "off", text = words(state) }) {
  return html`<span class=${`state ${tone}`}><${Glyph} tone=${tone} />${text}</span>`;
}

export function Tag({ children, title }) {
  return html`<span class="tag" title=${title}>${children}</span>`;
}

/** A button that is not there for those who may not use it. */
export function Action({ scope = "write", onClick, children, tone = "", title, disabled, label }) {
  useStore(session);
  if (!may(scope)) return null;
  return html`<button type="button" class=${`button ${tone}`} title=${title} disabled=${disabled} aria-label=${label}
    onClick=${onClick}>${children}</button>`;
}

export function Panel({ title, aside, children, className = "" }) {
  return html`<section class=${`panel ${className}`}>
    ${title && html`<header><h2>${title}</h2>${aside && html`<div class="aside">${aside}</div>`}</header>`}
    ${children}
  </section>`;
}

export function Heading({ title, sub, children }) {
  return html`<div class="heading">
    <div><h1 tabindex="-1">${title}</h1>${sub && html`<p class="sub">${sub}</p>`}</div>
    ${children && html`<div class="actions">${children}</div>`}
  </div>`;
}

export function Facts({ facts }) {
  const given = facts.filter((fact) => fact && fact[1] !== undefined && fact[1] !== null);
  return html`<dl class="facts">${given.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** What stands in place of a list that is empty, not there yet, or could not be read. */
export function Placeholder({ collection, what, hint }) {
  if (collection.error && !collection.loadedAt) {
    return html`<p class="placeholder failure" role="alert">Could not be read: ${collection.error.message}</p>`;
  }
  if (!collection.loadedAt) return html`<p class="placeholder" aria-busy="true">Loading…</p>`;
  return html`<div class="placeholder"><p>${what}</p>${hint && html`<p class="hint">${hint}</p>`}</div>`;
}

export function Failure({ error }) {
  return error ? html`<p class="failure" role="alert">${error.message}</p>` : null;
}

/** A share of something, with its limit marked. */
export function Meter({ share, mark, tone = "good", label }) {
  const width = (value) => `${Math.min(100, Math.max(0, value * 100))}%`;
  return html`<span class=${`meter ${tone}`} role="img" aria-label=${label}>
    <span class="fill" style=${{ width: width(share) }}></span>
    ${mark !== undefined && mark < 1 && html`<span class="mark" style=${{ left: width(mark) }}></span>`}
  </span>`;
}

export function Filter({ value, onInput, label, placeholder = "Filter by name" }) {
  return html`<input class="filter" type="search" value=${value} placeholder=${placeholder} aria-label=${label ?? placeholder}
    autocomplete="off" spellcheck=${false} onInput=${(event) => onInput(event.currentTarget.value)} />`;
}

/** One of a few, as buttons. `options` are `[value, text, count]`. */
export function Choice({ label, value, options, onChange }) {
  return html`<div class="choice" role="group" aria-label=${label}>
    ${options.map(([option, text, count]) => html`<button type="button" key=${option} aria-pressed=${option === value}
      onClick=${() => onChange(option)}>${text}${count !== undefined && html` <span class="count">${count}</span>`}</button>`)}
  </div>`;
}

export function Select({ label, value, options, onChange }) {
  return html`<label class="select"><span>${label}</span><select value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>
    ${options.map(([option, text]) => html`<option key=${option} value=${option} selected=${option === value}>${text}</option>`)}
  </select></label>`;
}

/** More rows nobody reads, and the browser would take seconds to draw them. */
export const MOST_ROWS = 300;

export function Rest({ all, most = MOST_ROWS }) {
  return all.length > most && html`<p class="placeholder">${count(all.length - most)} more are not shown.</p>`;
}

/**
 * A table; `columns` are `[title, cell, class]`. On a phone each row is a block with the titles beside its cells, so the roles are
 * said: browsers forget them with the layout.
 */
export function Table({ label, columns, rows, rowKey, rowClass, most = MOST_ROWS }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label}><table role="table">
    <thead role="rowgroup"><tr role="row">${columns.map(([title, , name]) => html`<th key=${title} role="columnheader" scope="col" class=${name}>${title}</th>`)}</tr></thead>
    <tbody role="rowgroup">${rows.slice(0, most).map((row) => html`<tr key=${rowKey(row)} role="row" class=${rowClass?.(row)}>
      ${columns.map(([title, cell, name]) => html`<td key=${title} role="cell" data-title=${title} class=${name}>${inCell(cell(row))}</td>`)}
    </tr>`)}</tbody>
  </table><${Rest} all=${rows} most=${most} /></div>`;
}

/** Nothing at all where there is nothing, so that an empty cell is empty to the style sheet, too. */
function inCell(content) {
  return content === "" || content === null || content === undefined || content === false ? null : html`<div>${content}</div>`;
}

export function Json({ value, label }) {
  return html`<pre class="json" tabindex="0" role="region" aria-label=${label}>${JSON.stringify(value, null, 2)}</pre>`;
}
