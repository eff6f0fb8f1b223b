// A JSON Patch (RFC 6902) for people: what was, what is.

import { html, useMemo } from "../html.js";
import { count } from "../format.js";
import { parseExactly } from "./exact.js";

const MOST = 500;
const LONGEST = 2000;
const SIGNS = { add: "+", remove: "−", replace: "±" };

function keysOf(pointer) {
  return pointer.split("/").slice(1).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** What is at a pointer, and what holds it. */
function find(document, pointer) {
  const keys = keysOf(pointer);
  const last = keys.pop();
  let holder = document;
  for (const key of keys) holder = holder?.[key];
  return { holder, last };
}

/** What each operation takes away: they apply one after another, so each finds what those before have made. */
function oldValues(patch, before) {
  const document = parseExactly(before);
  return patch.map(({ op, path, value }) => {
    const { holder, last } = find(document, path);
    if (holder === undefined || last === undefined) return undefined;
    const old = Array.isArray(holder) && op === "add" ? undefined : holder[last];
    if (Array.isArray(holder)) {
      if (op === "add") holder.splice(last === "-" ? holder.length : Number(last), 0, value);
      else if (op === "remove") holder.splice(Number(last), 1);
      else holder[last] = value;
    } else if (op === "remove") delete holder[last];
    else holder[last] = value;
    return old;
  });
}

function shown(value) {
  const whole = JSON.stringify(value, null, 1).replace(/\n\s*/g, " ");
  return whole.length > LONGEST ? `${whole.slice(0, LONGEST)} …` : whole;
}

/** Both are JSON text, so that numbers are shown as they were written; without `before` only what is. */
export function Diff({ patch: text, before }) {
  const [patch, old] = useMemo(() => {
    const operations = parseExactly(text);
    return [operations, before === undefined ? [] : oldValues(operations, before)];
  }, [text, before]);
  if (patch.length === 0) return html`<p class="placeholder">Nothing differs.</p>`;
  return html`<ul class="diff">
    ${patch.slice(0, MOST).map(({ op, path, value }, i) => html`<li key=${i} class=${op}>
      <span class="sign" aria-hidden="true">${SIGNS[op] ?? "?"}</span>
      <span class="path name" title=${path}><span class="vh">${op} </span>${keysOf(path).join(" / ") || "all of it"}</span>
      <span class="values">${old[i] !== undefined && html`<del>${shown(old[i])}</del>`}${op !== "remove" && html`<ins>${shown(value)}</ins>`}</span>
    </li>`)}
    ${patch.length > MOST && html`<li class="more">and ${count(patch.length - MOST)} more</li>`}
  </ul>`;
}
