// Starts the page.

import { get } from "./api.js";
import { html, render } from "./html.js";
import * as live from "./live.js";
import { route } from "./router.js";
import { session, signedIn } from "./session.js";
import { Shell } from "./shell.js";
import { viewOf } from "./views.js";

const RETRY_MS = 1000;

/** Asks who we are, until the server answers. */
async function begin() {
  try {
    signedIn(await get("/v1/tokens/self"));
    live.start();
  } catch (error) {
    // Without a token that holds, the session says so by itself.
    if (error.status === 401) return;
    live.connection.set({ state: "lost", since: live.connection.value.since });
    setTimeout(begin, RETRY_MS);
  }
}

session.follow(({ state }) => {
  if (state === "login") live.stop();
});

// While it is found out who asks.
viewOf(route.value.parts)?.load().catch(() => {});
render(html`<${Shell} />`, document.getElementById("app"));
begin();
