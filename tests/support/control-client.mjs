// A few lines to move the fake from a Node test: `control("messages", {...})` posts, `control("stats")` gets.

/** A function that calls `/_control/NAME` of the fake at `url` and throws when it is refused. */
export function controlOf(url) {
  return async (name, input) => {
    const options = input === undefined ? {} : { method: "POST", body: JSON.stringify(input) };
    const answer = await (await fetch(`${url}/_control/${name}`, options)).json();
    if (!answer.ok) throw new Error(`${name}: ${answer.error}`);
    return answer;
  };
}

/** The same for the Web API: `api("auth.test", {...}, token)` posts JSON and returns the body with `status`. */
export function apiOf(url, token) {
  return async (method, args = {}, as = token) => {
    const response = await fetch(`${url}/api/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json; charset=utf-8", ...(as ? { authorization: `Bearer ${as}` } : {}) },
      body: JSON.stringify(args),
    });
    return { status: response.status, retryAfter: response.headers.get("retry-after"), ...(await response.json()) };
  };
}
