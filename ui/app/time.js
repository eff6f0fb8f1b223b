// Times in the viewer's zone.

import { html } from "./html.js";
import { Store, useStore } from "./store.js";

const exactly = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium", timeStyle: "long",
});
const clockTime = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayAndTime = new Intl.DateTimeFormat(undefined, {
  month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
});

/** The time of now, once a second while the page can be seen. */
const now = new Store(Date.now());
setInterval(() => { if (!document.hidden) now.set(Date.now()); }, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) now.set(Date.now()); });

export const useNow = () => useStore(now);

function exact(at) {
  return exactly.format(new Date(at));
}

export function clock(at) {
  return clockTime.format(new Date(at));
}

const DAY = 86_400;

/** A span of seconds in at most two units: `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  const two = (big, bigUnit, small, smallUnit) => (small ? `${big} ${bigUnit} ${small} ${smallUnit}` : `${big} ${bigUnit}`);
  if (s < 3600) return two(Math.floor(s / 60), "min", s % 60, "s");
  if (s < DAY) return two(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  return two(Math.floor(s / DAY), "d", Math.floor((s % DAY) / 3600), "h");
}

/** The same in one unit, for narrow places. */
export function shortSpan(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < DAY) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / DAY)} d`;
}

/** How long ago, or in how long; the exact time on hover. */
export function Ago({ at, short = false }) {
  const present = useNow();
  if (!at) return html`<span class="none">never</span>`;
  const seconds = (present - Date.parse(at)) / 1000;
  const text = (short ? shortSpan : span)(Math.abs(seconds));
  const words = seconds < -0.5 ? `in ${text}` : Math.round(seconds) < 1 ? "just now" : `${text} ago`;
  return html`<time datetime=${at} title=${exact(at)}>${words}</time>`;
}

/** For how long it has been so; the exact time on hover. */
export function Since({ at }) {
  const present = useNow();
  if (!at) return html`<span class="none">–</span>`;
  return html`<time datetime=${at} title=${`since ${exact(at)}`}>${span((present - Date.parse(at)) / 1000)}</time>`;
}

/** A point in time; the exact one on hover. */
export function At({ at }) {
  if (!at) return html`<span class="none">–</span>`;
  const same = new Date(at).toDateString() === new Date().toDateString();
  return html`<time datetime=${at} title=${exact(at)}>${same ? clock(at) : dayAndTime.format(new Date(at))}</time>`;
}
