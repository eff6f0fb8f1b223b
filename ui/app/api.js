// Requests to the server.

import { askForToken, token } from "./session.js";

/** An answer that is an error, or none at all: then `status` is 0. */
class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function authorized(headers = {}) {
  const secret = token();
  return secret ? { ...headers, authorization: `Bearer ${secret}` } : headers;
}

/** The answer to a request, whatever its body is. Without a token that holds, the page asks for one. */
export async function send(method, path, body, extra) {
  const headers = authorized(extra);
  if (body !== undefined) headers["content-type"] = "application/json";
  const used = token();
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
  } catch {
    throw new ApiError(0, "unreachable", "the server does not answer");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401 && used === token()) askForToken(used ? problem.detail : null);
  throw new ApiError(response.status, problem.code ?? "unknown", message(problem, response));
}

function message(problem, response) {
  const fields = (problem.errors ?? []).map((error) => `${error.field}: ${error.message}`);
  const text = problem.detail ?? `the server answered ${response.status}`;
  return fields.length && !fields.every((field) => text.includes(field)) ? `${text} (${fields.join("; ")})` : text;
}

export async function get(path) {
  return (await send("GET", path)).json();
}

/** Not parsed: JavaScript's numbers have 53 bits. */
export async function getText(path) {
  return (await send("GET", path)).text();
}

export async function post(path, body) {
  return (await send("POST", path, body)).json();
}

/** Declares something new; what has that name already is left as it is, and that is an error. */
export function create(path, body) {
  return put(path, body, { "if-none-match": "*" }, "There is one of this name already.");
}

/** Replaces a configuration by what `change` makes of it. If somebody else changes it meanwhile, that is an error. */
export async function edit(path, change) {
  const answer = await send("GET", path);
  const { config } = await answer.json();
  return put(path, change(config), { "if-match": answer.headers.get("etag") }, "Somebody else has changed it just now. Look at it again.");
}

async function put(path, body, condition, otherwise) {
  try {
    return await (await send("PUT", path, body, condition)).json();
  } catch (error) {
    throw error.status === 412 ? new ApiError(412, error.code, otherwise) : error;
  }
}

export async function remove(path) {
  await send("DELETE", path);
}

/** A path with names in it: `at("/v1/breakers", name, "reset")`. */
export function at(base, ...parts) {
  return [base, ...parts.map((part) => encodeURIComponent(part))].join("/");
}

export function query(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/** All items of a list, page after page, up to `most`; `complete` says whether these are all. */
export async function all(path, { parameters = {}, most = 20000, until } = {}) {
  const items = [];
  let cursor;
  do {
    const page = await get(query(path, { limit: 1000, ...parameters, cursor }));
    items.push(...page.items);
    cursor = page.next_cursor ?? undefined;
    if (until && page.items.length && until(page.items.at(-1))) return { items, complete: true };
  } while (cursor && items.length < most);
  return { items, complete: !cursor };
}
