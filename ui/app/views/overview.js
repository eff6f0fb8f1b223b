// What is broken, since when, who reported it; and how the rest is.

import { useFeed } from "../feed.js";
import { html } from "../html.js";
import { count, plural } from "../format.js";
import { Failure, Glyph, Panel, State, TONES } from "../parts/basics.js";
import { AlertActions, AlertTags } from "../parts/alert-actions.js";
import { BreakerActions } from "../parts/breaker-actions.js";
import { EventList } from "../parts/event-list.js";
import { RunCheck } from "../parts/check-actions.js";
import { RunSchedule } from "../parts/schedule-actions.js";
import { alerts, breakers, checks, gates, limiters, schedules } from "../resources.js";
import { Since, span, useNow } from "../time.js";

/** More than this nobody reads at once. */
const MOST = 40;
/** So many of the latest events. */
const LATELY = 12;

const HEADLINES = { green: "All is well", yellow: "Something wants a look", red: "Something is broken" };

export function Overview({ situation }) {
  const { found, known, status, broken, loud } = situation;
  if (!known) return html`<h1 tabindex="-1">Overview</h1><p class="placeholder" aria-busy="true">Loading…</p>`;
  const shown = found.filter((problem) => !problem.quiet && problem.gravity !== "note");
  const others = found.filter((problem) => problem.quiet || problem.gravity === "note");
  const wanting = loud - broken;
  const sub = [broken && `${count(broken)} broken`, wanting && `${plural(wanting, "warning")}`].filter(Boolean).join(", ");
  return html`
    <div class=${`headline ${status}`}>
      <${Glyph} tone=${TONES[status]} />
      <div><h1 tabindex="-1">${HEADLINES[status]}</h1>
        <p class="sub">${sub || `${plural(breakers.items.size, "breaker")}, ${plural(checks.items.size, "check")}, no problem`}</p></div>
    </div>
    ${shown.length > 0 && html`<${Panel} title=${broken ? "Broken now" : "Wants a look"} className="flush"><${Problems} found=${shown} /></${Panel}>`}
    <${Summary} />
    ${others.length > 0 && html`<${Panel} title="Seen to, or as somebody wanted it" className="flush"><${Problems} found=${others} /></${Panel}>`}
    <${Recent} />`;
}

function Problems({ found }) {
  return html`<ul class="problems">
    ${found.slice(0, MOST).map((problem) => html`<${Problem} key=${`${problem.kind} ${problem.name} ${problem.alert?.id}`} problem=${problem} />`)}
    ${found.length > MOST && html`<li class="more">and ${plural(found.length - MOST, "more", "more")}</li>`}
  </ul>`;
}

function Problem({ problem }) {
  const { kind, name, href, state, since, text, reporter, alert, gravity } = problem;
  return html`<li class=${`problem ${gravity}`}>
    <${State} state=${state} tone=${kind === "gate" ? "bad" : TONES[state]} />
    <div class="what">
      <p class="title"><span class="kind">${kind}</span> <a href=${href}>${name}</a>${alert && html`<${AlertTags} alert=${alert} />`}</p>
      <p class="why">${text}</p>
    </div>
    <p class="reporter">${reporter}</p>
    <p class="since">${since ? html`<${Since} at=${since} />` : html`<${Waits} problem=${problem} />`}</p>
    <div class="actions"><${Acts} problem=${problem} /></div>
  </li>`;
}

function Waits({ problem }) {
  return problem.retryAfter ? html`${span(problem.retryAfter)} left` : html`<span class="none">now</span>`;
}

function Acts({ problem }) {
  const { kind, name, alert } = problem;
  if (kind === "breaker") {
    return html`<${BreakerActions} breaker=${breakers.items.get(name)} brief=${true} />${alert && html`<${AlertActions} alert=${alert} />`}`;
  }
  if (kind === "check") return html`<${RunCheck} check=${checks.items.get(name)} />${alert && html`<${AlertActions} alert=${alert} />`}`;
  if (kind === "alert") return html`<${AlertActions} alert=${alert} />`;
  if (kind === "schedule") return html`<${RunSchedule} name=${name} />${alert && html`<${AlertActions} alert=${alert} />`}`;
  return null;
}

function tally(items, of) {
  const counts = new Map();
  for (const item of items) counts.set(of(item), (counts.get(of(item)) ?? 0) + 1);
  return counts;
}

function Summary() {
  const now = useNow();
  const next = schedules.values().map((schedule) => schedule.next_run_at).filter(Boolean).sort()[0];
  return html`<div class="summary">
    <${Sum} title="Breakers" href="#/breakers" counts=${tally(breakers.values(), (b) => b.state)} />
    <${Sum} title="Checks" href="#/checks" counts=${tally(checks.values(), (c) => (c.stale ? "stale" : c.status))} />
    <${Sum} title="Gates" href="#/gates" tones=${GATE_TONES} counts=${tally(gates.values(), (g) => (g.verdict.allowed ? "lets pass" : "refuses"))} />
    <${Sum} title="Alerts" href="#/alerts" counts=${tally(alerts.values(), (a) => a.level)} none="none fires" />
    <${Sum} title="Limiters" href="#/limiters" counts=${tally(limiters.values(), (l) => (l.blocked_seconds ? "blocked" : l.waiting ? "waiting" : "free"))} />
    <${Sum} title="Schedules" href="#/schedules" counts=${tally(schedules.values(), (s) => s.last_run?.status ?? "not run yet")}
      foot=${next && `next in ${span((Date.parse(next) - now) / 1000)}`} />
  </div>`;
}

const GATE_TONES = { "lets pass": "good", refuses: "bad" };

function Sum({ title, href, counts, tones = TONES, none = "none declared", foot }) {
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return html`<a class="sum" href=${href}>
    <h2>${title}</h2>
    ${sorted.length === 0 && html`<p class="none">${none}</p>`}
    <ul>${sorted.map(([state, n]) => html`<li key=${state}><span class="n">${count(n)}</span>
      <${State} state=${state} tone=${tones[state]} /></li>`)}</ul>
    ${foot && html`<p class="foot">${foot}</p>`}
  </a>`;
}

function Recent() {
  const [{ items, error }] = useFeed({ page: LATELY, most: LATELY });
  return html`<${Panel} title="Lately" aside=${html`<a href="#/events">All events</a>`} className="flush">
    <${Failure} error=${error} /><${EventList} events=${items} /></${Panel}>`;
}
