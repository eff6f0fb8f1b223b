// When changes are shown: all that came together at once, ten times a second at most.

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
