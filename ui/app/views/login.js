// Asks for a token.

import { get } from "../api.js";
import { html, useState } from "../html.js";
import * as live from "../live.js";
import { keepToken, session, signedIn } from "../session.js";
import { useStore } from "../store.js";

export function Login() {
  const { refused } = useStore(session);
  const [secret, setSecret] = useState("");
  const [failure, setFailure] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    keepToken(secret.trim());
    try {
      signedIn(await get("/v1/tokens/self"));
      live.start();
    } catch (error) {
      // A refused token is told by the session.
      if (error.status !== 401) setFailure(error.message);
      setBusy(false);
    }
  };
  const said = failure ?? refused;
  return html`<main class="login" id="main">
    <form onSubmit=${submit} class="panel">
      <h1>Sign in</h1>
      <p>This board needs a token. One that may only read sees everything and changes nothing.</p>
      <input type="text" name="username" autocomplete="username" value="fuseboard" hidden readonly />
      <div class="field">
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required autofocus value=${secret}
          aria-invalid=${Boolean(said)} aria-describedby=${said ? "refused" : undefined}
          onInput=${(event) => setSecret(event.currentTarget.value)} />
      </div>
      ${said && html`<p class="failure" id="refused" role="alert">${said}</p>`}
      <button class="button primary" type="submit" disabled=${busy}>Sign in</button>
      <p class="hint">Kept in this tab only. Make one with <code>fuseboard token create NAME --scope read</code>.</p>
    </form>
  </main>`;
}
