// What is done needs a reason at times: a form in a dialog.

import { html, useEffect, useRef, useState } from "../html.js";
import { Store, useStore } from "../store.js";
import { toast } from "./toast.js";

const open = new Store(null);
// It belongs to the view that it was opened in.
addEventListener("hashchange", () => open.set(null));

/**
 * Asks before it does something. `fields` are `{ name, label, kind, value, options, required, hint, when }`, and there while `when`
 * holds of all values; `run` gets those and returns what to say when it is done. What goes wrong is said in the dialog.
 */
export function act({ title, text, fields = [], button, tone = "primary", run }) {
  open.set({ title, text, fields, button, tone, run });
}

/** Does something at once. */
export async function doNow(run) {
  try {
    const said = await run();
    if (said) toast(said);
  } catch (error) {
    toast(error.message, "bad");
  }
}

export function Dialog() {
  const ask = useStore(open);
  return ask && html`<${Form} key=${ask.title} ask=${ask} />`;
}

function Form({ ask }) {
  const dialog = useRef();
  const [values, setValues] = useState(() => Object.fromEntries(ask.fields.map(({ name, value }) => [name, value ?? ""])));
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const close = () => open.set(null);
  const isOpen = () => open.value === ask;
  useEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => before?.focus?.();
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const said = await ask.run(values);
      if (isOpen()) close();
      if (said) toast(said);
    } catch (failure) {
      // Whoever went away in between is told, too.
      if (!isOpen()) return toast(failure.message, "bad");
      setError(failure.message);
      setBusy(false);
    }
  };
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="dialog-title" onClose=${close}>
    <form onSubmit=${submit}>
      <h2 id="dialog-title">${ask.title}</h2>
      ${ask.text && html`<p>${ask.text}</p>`}
      ${ask.fields.filter(({ when }) => !when || when(values)).map((field) => html`<${Field} key=${field.name} field=${field} value=${values[field.name]}
        onInput=${(value) => setValues((all) => ({ ...all, [field.name]: value }))} />`)}
      ${error && html`<p class="failure" role="alert">${error}</p>`}
      <div class="buttons">
        <button type="button" class="button" onClick=${close}>Cancel</button>
        <button type="submit" class=${`button ${ask.tone}`} disabled=${busy}>${ask.button}</button>
      </div>
    </form>
  </dialog>`;
}

function Field({ field, value, onInput }) {
  const { name, label, kind = "text", options, required, hint, placeholder } = field;
  const input = (event) => onInput(event.currentTarget.value);
  const common = { id: `field-${name}`, name, required, onInput: input, "aria-describedby": hint ? `hint-${name}` : undefined };
  const control = kind === "select"
    ? html`<select ...${common} value=${value}>${options.map(([option, text]) => html`<option key=${option} value=${option} selected=${option === value}>${text}</option>`)}</select>`
    : kind === "lines"
      ? html`<textarea ...${common} rows="4" spellcheck=${false} value=${value}></textarea>`
      : html`<input ...${common} type=${kind} value=${value} placeholder=${placeholder} autocomplete="off" />`;
  return html`<div class="field">
    <label for=${`field-${name}`}>${label}</label>${control}
    ${hint && html`<p class="hint" id=${`hint-${name}`}>${hint}</p>`}
  </div>`;
}

/** Spans for fields that ask how long. */
export const SPANS = [
  ["300", "5 minutes"], ["900", "15 minutes"], ["3600", "1 hour"], ["14400", "4 hours"], ["86400", "1 day"], ["604800", "1 week"],
];
