// A long page of rows of which only those in sight are there.

import { html, useLayoutEffect, useRef, useState } from "../html.js";

/** So much is drawn above and below what is in sight. */
const BEYOND = 400;

/**
 * `rows` are `{ key, height, draw }`. The page scrolls, not a box in it. The row with the key `keep` stays even when it
 * is out of sight, so that the focus is not lost.
 */
export function VirtualRows({ rows, label, keep }) {
  const box = useRef();
  const [sight, setSight] = useState({ top: 0, bottom: 1500 });
  useLayoutEffect(() => {
    let asked = 0;
    const look = () => {
      asked = 0;
      if (!box.current) return;
      const { top } = box.current.getBoundingClientRect();
      const now = { top: -top - BEYOND, bottom: innerHeight - top + BEYOND };
      // Scrolling by less than half of what is drawn beyond sight needs nothing new.
      setSight((was) => (Math.abs(was.top - now.top) < BEYOND / 2 && Math.abs(was.bottom - now.bottom) < BEYOND / 2 ? was : now));
    };
    const soon = () => { asked ||= requestAnimationFrame(look); };
    look();
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    const sizes = new ResizeObserver(soon);
    sizes.observe(document.body);
    return () => {
      removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
      sizes.disconnect();
      cancelAnimationFrame(asked);
    };
  }, []);
  let y = 0;
  const drawn = [];
  for (const row of rows) {
    if ((y + row.height > sight.top && y < sight.bottom) || row.key === keep) drawn.push({ row, y });
    y += row.height;
  }
  return html`<div ref=${box} class="virtual" style=${{ height: `${y}px` }} role="group" aria-label=${label}>
    ${drawn.map(({ row, y: top }) => html`<div key=${row.key} class="row" style=${{ top: `${top}px`, height: `${row.height}px` }}>${row.draw()}</div>`)}
  </div>`;
}

/** The width of an element, as it changes. */
export function useWidth() {
  const element = useRef();
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const sizes = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    sizes.observe(element.current);
    setWidth(Math.floor(element.current.clientWidth));
    return () => sizes.disconnect();
  }, []);
  return [element, width];
}
