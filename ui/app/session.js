// Who uses the page. A token is kept for this tab only, and never leaves it except in requests to this server.

import { Store } from "./store.js";

const KEY = "fuseboard.token";
const SCOPES = ["read", "write", "admin"];

/** `state`: `starting`, `login` (a token is needed), `ready`; `refused` says why the last token was not taken. */
export const session = new Store({ state: "starting", name: null, scope: "read", required: false, refused: null });

let secret = null;
try {
  secret = sessionStorage.getItem(KEY);
} catch {
  // Without storage it is kept until the page is left.
}

export function token() {
  return secret;
}

/** Whether buttons that need `scope` are shown. */
export function may(scope) {
  return SCOPES.indexOf(session.value.scope) >= SCOPES.indexOf(scope);
}

export function keepToken(text) {
  secret = text;
  try {
    if (text === null) sessionStorage.removeItem(KEY); else sessionStorage.setItem(KEY, text);
  } catch {
    // As above.
  }
}

export function askForToken(refused) {
  keepToken(null);
  session.set({ state: "login", name: null, scope: "read", required: true, refused });
}

export function signedIn({ name, scope, required }) {
  session.set({ state: "ready", name, scope, required, refused: null });
}
