// The stream of events. EventSource cannot send a token, so the stream is read by hand.

import { authorized } from "./api.js";
import { askForToken } from "./session.js";
import { Store } from "./store.js";

/** The server sends something at least every 15 seconds. */
const SILENT_MS = 33_000;
const FIRST_RETRY_MS = 300;
const LAST_RETRY_MS = 5_000;

/** `state`: `connecting`, `live`, `lost`; `since` is when it became so, and for `lost` until when everything was heard. */
export const connection = new Store({ state: "connecting", since: Date.now() });

const listeners = new Set();
let lastId = null;
let running = null;
/** Until when everything that happened was heard. */
let heardUntil = Date.now();

/** `listener.event(event)`, if it has that, for each event; `listener.anew()` when more may have changed than events tell. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function start() {
  stop();
  running = new AbortController();
  run(running.signal);
}

export function stop() {
  running?.abort();
  running = null;
}

/** Tries again at once. */
export function retry() {
  start();
}

function became(state, since = Date.now()) {
  if (connection.value.state !== state) connection.set({ state, since });
}

async function run(stopped) {
  let wait = FIRST_RETRY_MS;
  while (!stopped.aborted) {
    const began = Date.now();
    const refused = await connect(stopped);
    if (stopped.aborted || refused) return;
    became("lost", heardUntil);
    if (Date.now() - began > LAST_RETRY_MS) wait = FIRST_RETRY_MS;
    await pause(wait, stopped);
    wait = Math.min(wait * 2, LAST_RETRY_MS);
  }
}

function pause(ms, stopped) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stopped.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

/** Reads until the stream ends, by itself or because nothing comes. True if a token is needed. */
async function connect(stopped) {
  const silence = new AbortController();
  let timer;
  const heard = () => {
    heardUntil = Date.now();
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENT_MS);
  };
  try {
    heard();
    const headers = authorized({ accept: "text/event-stream" });
    if (lastId !== null) headers["last-event-id"] = lastId;
    const response = await fetch("/v1/events", {
      headers, cache: "no-store", signal: AbortSignal.any([stopped, silence.signal]),
    });
    if (response.status === 401) {
      askForToken("the token is not valid any more");
      return true;
    }
    if (!response.ok) return false;
    became("live");
    for (const listener of listeners) listener.anew();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new Parser(deliver);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      heard();
      parser.feed(value);
    }
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    // What ends by itself had nothing more to say before; what fell silent may have.
    if (!silence.signal.aborted) heardUntil = Date.now();
  }
}

function deliver({ id, type, data }) {
  if (id) lastId = id;
  if (!data) return;
  if (type === "gap") {
    for (const listener of listeners) listener.anew();
    return;
  }
  const event = JSON.parse(data);
  for (const listener of listeners) listener.event?.(event);
}

/** Server-sent events out of pieces of text (the HTML standard, 9.2.6). */
class Parser {
  #deliver;
  #rest = "";
  #message = { id: "", type: "", data: "" };

  constructor(deliver) {
    this.#deliver = deliver;
  }

  feed(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
  }

  #line(line) {
    if (line === "") {
      const message = this.#message;
      this.#message = { id: "", type: "", data: "" };
      if (message.id || message.data) this.#deliver(message);
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") this.#message.data += (this.#message.data && "\n") + value;
    else if (field === "event") this.#message.type = value;
    else if (field === "id") this.#message.id = value;
  }
}
