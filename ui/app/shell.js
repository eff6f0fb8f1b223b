// The frame around the views: header, navigation, state of the connection.

import { html, useEffect, useErrorBoundary, useRef, useState } from "./html.js";
import { connection, retry } from "./live.js";
import { Dialog } from "./parts/dialog.js";
import { State } from "./parts/basics.js";
import { Toasts } from "./parts/toast.js";
import { plural } from "./format.js";
import { route } from "./router.js";
import { askForToken, session } from "./session.js";
import { useStore } from "./store.js";
import { clock, span, useNow } from "./time.js";
import { applyTheme, theme } from "./themes.js";
import { summary, useSituation } from "./situation.js";
import { outdated } from "./version.js";
import { VIEWS, placeOf, tabsOf, viewOf } from "./views.js";
import { Login } from "./views/login.js";

export function Shell() {
  const { state } = useStore(session);
  if (state === "login") return html`<${Header} bare=${true} /><${Login} />`;
  if (state !== "ready") return html`<${Header} bare=${true} /><main id="main"><${Lost} /></main>`;
  return html`<${Drawn} component=${Frame} />`;
}

/** What fails to draw itself says so, instead of standing still as if nothing happened any more. */
function Drawn({ component, ...given }) {
  const [error] = useErrorBoundary((failure) => console.error(failure));
  if (!error) return html`<${component} ...${given} />`;
  return html`<h1 tabindex="-1">Not shown</h1><p class="failure" role="alert">This could not be drawn: ${error.message}</p><p><${Reload} /></p>`;
}

function Reload() {
  return html`<button type="button" class="button" onClick=${() => location.reload()}>Load the page again</button>`;
}

function Frame() {
  const situation = useSituation();
  const old = useStore(connection).state === "lost";
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to content</a>
    <${Header} situation=${situation} />
    <div class="frame">
      <${Navigation} situation=${situation} />
      <main id="main" class=${old ? "is-old" : ""}><${Lost} /><${Unread} situation=${situation} /><${Outdated} /><${Tabs} /><${View} situation=${situation} /></main>
    </div>
    <${Dialog} /><${Toasts} />`;
}

function skip(event) {
  event.preventDefault();
  document.querySelector("main h1")?.focus();
}

function Header({ situation, bare }) {
  const { name, required } = useStore(session);
  return html`<header class="bar">
    <a class="brand" href="#/"><span class="mark" aria-hidden="true"></span>Fuseboard</a>
    ${situation?.known && html`<a class="overall" href="#/"><${State} state=${situation.status} text=${summary(situation)} /></a>`}
    <span class="spring"></span>
    ${!bare && html`<${Connection} />`}
    <${ThemeSwitch} />
    ${!bare && required && html`<span class="who"><span class="name">${name}</span>
      <button type="button" class="button quiet" onClick=${() => askForToken(null)}>Sign out</button></span>`}
  </header>`;
}

function Connection() {
  const { state } = useStore(connection);
  const text = { live: "Live", connecting: "Connecting", lost: "Disconnected" }[state];
  return html`<span class=${`connection ${state}`} role="status" title=${state === "live" ? "Changes are shown as they happen" : ""}>
    <span class="lamp" aria-hidden="true"></span>${text}</span>`;
}

/** Says what could not be read although there is a connection. */
function Unread({ situation: { unread } }) {
  if (!unread.length) return null;
  return html`<div class="away" role="alert"><p><strong>Not all could be read.</strong>
    ${unread.map(({ name, at, message }) => html` ${name} as of ${at ? clock(at) : "never"}: ${message}.`)} Trying again by itself.</p></div>`;
}

function Outdated() {
  if (!useStore(outdated)) return null;
  return html`<div class="away mild" role="status"><p>The server has a newer page than this one.</p>
    <button type="button" class="button" onClick=${() => location.reload()}>Load it</button></div>`;
}

/** Says that what is shown is old. */
function Lost() {
  const { state, since } = useStore(connection);
  const now = useNow();
  if (state !== "lost") return null;
  return html`<div class="away" role="alert">
    <p><strong>Disconnected.</strong> What you see is as of ${clock(since)}, ${span((now - since) / 1000)} ago. Trying again by itself.</p>
    <button type="button" class="button" onClick=${retry}>Try now</button>
  </div>`;
}

function Navigation({ situation }) {
  const { parts } = useStore(route);
  const current = placeOf(parts[0] ?? "");
  const list = useRef();
  // On a phone the list is wider than the screen, and wider still with its badges.
  useEffect(() => list.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [current, situation.known]);
  return html`<nav class="views" aria-label="Views" ref=${list}><ul>
    ${VIEWS.filter(({ under }) => !under).map(({ path, title, counts }) => {
      const n = situation.counts[counts] ?? 0;
      return html`<li key=${path}><a href=${`#/${path}`} aria-current=${path === current ? "page" : undefined}>
        <span>${title}</span>${n > 0 && html`<span class=${`badge ${situation.grave[counts] ?? "warn"}`}
          aria-label=${`${plural(n, "problem")}`}>${n}</span>`}</a></li>`;
    })}
  </ul></nav>`;
}

/** The views beside this one that stand at the same place of the navigation. */
function Tabs() {
  const { parts } = useStore(route);
  const current = parts[0] ?? "";
  const tabs = parts.length > 1 ? [] : tabsOf(current);
  const list = useRef();
  useEffect(() => list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [current]);
  if (!tabs.length) return null;
  return html`<nav class="tabs" aria-label=${tabs[0].title} ref=${list}><ul>
    ${tabs.map(({ path, title }) => html`<li key=${path}><a href=${`#/${path}`} aria-current=${path === current ? "page" : undefined}>${title}</a></li>`)}
  </ul></nav>`;
}

/** Who goes to another view begins at its top, with the keyboard and the screen reader, too. */
function useArrival(address, shown) {
  const last = useRef(address);
  useEffect(() => {
    if (!shown || last.current === address) return;
    last.current = address;
    scrollTo(0, 0);
    document.querySelector("main h1")?.focus({ preventScroll: true });
  }, [address, shown]);
}

/** The view of the address, loaded when it is first needed. */
function View({ situation }) {
  const { parts, search } = useStore(route);
  const wanted = viewOf(parts);
  const [loaded, setLoaded] = useState({});
  useEffect(() => {
    if (!wanted) return;
    let here = true;
    wanted.load().then(
      (Component) => here && setLoaded({ wanted, Component }),
      () => here && setLoaded({ wanted, failed: true }),
    );
    return () => { here = false; };
  }, [wanted]);
  const shown = loaded.wanted === wanted && !loaded.failed;
  useArrival(parts.join("/"), shown);
  if (!wanted) return html`<h1 tabindex="-1">Not found</h1><p>There is no such view. <a href="#/">To the overview</a></p>`;
  if (loaded.wanted !== wanted) return html`<p class="placeholder" aria-busy="true">Loading…</p>`;
  if (loaded.failed) {
    return html`<h1 tabindex="-1">Not loaded</h1><p>The server may be away, or of another version by now. <${Reload} /></p>`;
  }
  return html`<${Drawn} component=${loaded.Component} key=${parts.slice(0, 2).join("/")} parts=${parts} search=${search} situation=${situation} />`;
}

const NEXT = { auto: "light", light: "dark", dark: "auto" };
const THEME_WORDS = { auto: "Auto", light: "Light", dark: "Dark" };

function ThemeSwitch() {
  const chosen = useStore(theme);
  return html`<button type="button" class="button quiet theme" onClick=${() => applyTheme(NEXT[chosen])}
    title="Colours: light, dark, or as the system has it"><span class="vh">Colours: </span>${THEME_WORDS[chosen]}</button>`;
}
