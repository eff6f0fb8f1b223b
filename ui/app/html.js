// Markup in templates. What is put in is text, never markup: nothing in this page parses HTML.

import { h, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export const html = htm.bind(h);
export { render };
export { useState, useEffect, useLayoutEffect, useMemo, useRef, useErrorBoundary } from "../vendor/preact-hooks.js";
