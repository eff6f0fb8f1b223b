// JSON whose numbers stay as they were written. Those of JavaScript have 53 bits, and know neither 1.0 nor 1e400.

/**
 * Like `JSON.parse`; what a number would lose is kept in an object that `JSON.stringify` writes as it was. Browsers that do not say
 * how a number was written give what it is to them.
 */
export function parseExactly(text) {
  return JSON.parse(text, (_, value, context) => {
    if (typeof value !== "number" || context?.source === undefined || !JSON.rawJSON) return value;
    return JSON.stringify(value) === context.source ? value : JSON.rawJSON(context.source);
  });
}
