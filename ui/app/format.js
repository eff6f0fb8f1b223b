// Numbers for people.

const whole = new Intl.NumberFormat();
const four = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 });

export function count(n) {
  return whole.format(n);
}

export function number(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? whole.format(value) : four.format(value);
}

export function percent(share) {
  if (share === null || share === undefined) return "–";
  const points = share * 100;
  return `${points !== 0 && points < 10 ? points.toFixed(1) : Math.round(points)} %`;
}

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) { n /= 1024; unit += 1; }
  return `${unit === 0 ? n : n.toFixed(n < 10 ? 1 : 0)} ${units[unit]}`;
}

/** `half_open` as people write it. */
export function words(name) {
  return String(name).replaceAll("_", " ");
}

export function plural(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** Whether a filter's text is found in another. */
export function matches(text, wanted) {
  return text.toLowerCase().includes(wanted.toLowerCase());
}

/** Labels as they stand in queries: `a=b, c=d`. */
export function labels(map) {
  return Object.entries(map ?? {}).map(([name, value]) => `${name}=${value}`).join(", ");
}
