// Who uses the page. A token is kept for this tab only, and never leaves it except in requests to this server.

import { Store } from "./store.js";

const KEY = "fuseboard.token";
const SCOPES = ["read", "write", "admin"];

/** `state`: `starting`, `login` (a token is needed), `ready`; `refused` says why the last token was not taken. */
export const session = new Store({ state: "starting", name: null, scope: "read", required: false, refused: null });

export function token() {
  return sessionStorage.getItem(KEY);
}

/** Whether buttons that need `scope` are shown. */
export function may(scope) {
  return SCOPES.indexOf(session.value.scope) >= SCOPES.indexOf(scope);
}

export function keepToken(text) {
  sessionStorage.setItem(KEY, text);
}

export function askForToken(refused) {
  sessionStorage.removeItem(KEY);
  session.set({ state: "login", name: null, scope: "read", required: true, refused });
}

export function signedIn({ name, scope, required }) {
  session.set({ state: "ready", name, scope, required, refused: null });
}
