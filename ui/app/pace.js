// When changes are shown: all that came together at once, ten times a second at most.

/** Does something now and again every so often, never twice at once, and not while nobody sees the page; returns how to stop. */
export function every(ms, work) {
  let timer;
  let stopped = false;
  const round = async () => {
    if (!document.hidden) await work();
    if (!stopped) timer = setTimeout(round, ms);
  };
  round();
  return () => { stopped = true; clearTimeout(timer); };
}

const PACE_MS = 100;

let waiting = new Set();
let timer = null;

/** Calls `show` soon, together with what others want to show. Asked twice before, it is called once. */
export function soon(show) {
  waiting.add(show);
  timer ??= setTimeout(() => {
    timer = null;
    const all = waiting;
    waiting = new Set();
    for (const one of all) one();
  }, PACE_MS);
}
