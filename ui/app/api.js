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
export async function send(method, path, body) {
  const headers = authorized();
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

export async function post(path, body) {
  return (await send("POST", path, body)).json();
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
