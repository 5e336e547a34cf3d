// `/api/METHOD`: reads the arguments, checks the token, applies faults and the rate limit, calls the method.
//
// The methods are in `methods/`; each takes a call and returns the fields beside `ok`, or throws a `SlackError`.

import { SlackError } from "./slack-error.mjs";
import { authMethods } from "./methods/auth.mjs";
import { chatMethods } from "./methods/chat.mjs";
import { conversationMethods } from "./methods/conversations.mjs";
import { fileMethods } from "./methods/files.mjs";
import { historyMethods } from "./methods/history.mjs";
import { reactionMethods } from "./methods/reactions.mjs";
import { userMethods } from "./methods/users.mjs";
import { readBody } from "./http-body.mjs";
import { pause } from "./timestamps.mjs";

const METHODS = {
  ...authMethods,
  ...chatMethods,
  ...conversationMethods,
  ...fileMethods,
  ...historyMethods,
  ...reactionMethods,
  ...userMethods,
};

const SCOPES = [
  "identify,channels:history,channels:read,channels:write,groups:history,groups:read,groups:write,im:history,im:read",
  "im:write,mpim:history,mpim:read,mpim:write,chat:write,reactions:read,reactions:write,users:read,users.profile:read",
  "emoji:read,team:read,usergroups:read,files:read,files:write",
].join();
const BODY_LIMIT = 1024 * 1024;
const CALL_LOG_LIMIT = 50_000;

export class WebApi {
  constructor(world) {
    this.world = world;
    this.calls = [];
  }

  async handle(request, response, url) {
    const method = url.pathname.slice("/api/".length);
    const record = { at: Date.now(), method, http: request.method, outcome: "cut" };
    this.calls.push(record);
    if (this.calls.length > CALL_LOG_LIMIT) this.calls.splice(0, this.calls.length - CALL_LOG_LIMIT);

    const { args, warning, problem } = await readArguments(request, url);
    const { token, ...logged } = args;
    record.args = logged;
    if (problem) return this.answer(response, record, { ok: false, error: problem });
    if (!Object.hasOwn(METHODS, method)) {
      return this.answer(response, record, { ok: false, error: "unknown_method", req_method: method });
    }
    const caller = method === "api.test" ? {} : this.authenticate(bearer(request) ?? token);
    if (caller.error) return this.answer(response, record, { ok: false, error: caller.error });
    record.user = caller.app?.owner;
    const fault = this.world.faults.next(method);
    record.fault = fault.kind === "ok" ? undefined : fault.kind;
    if (await this.suffer(fault, response, record)) return undefined;
    const wait = method === "chat.postMessage" ? this.world.rateLimit.take(`${caller.app.id} ${args.channel}`) : 0;
    if (wait > 0) return this.limited(response, record, wait);
    return this.perform(response, record, { method, args, caller, warning, fault });
  }

  /** Applies what happens before a method runs. True when the call is over. */
  async suffer(fault, response, record) {
    if (fault.delay_ms > 0 || fault.kind === "delay") await pause(fault.delay_ms ?? 500);
    switch (fault.kind) {
      case "ratelimited":
        this.limited(response, record, fault.retry_after ?? 1);
        return true;
      case "close":
        response.socket?.destroy();
        return true;
      case "http":
        record.outcome = `http ${fault.status ?? 503}`;
        response.writeHead(fault.status ?? 503, { "content-type": "text/html; charset=utf-8" });
        response.end(fault.body ?? "<!DOCTYPE html><title>Slack is having a moment</title>");
        return true;
      case "error":
        this.answer(response, record, { ok: false, error: fault.error ?? "internal_error" });
        return true;
      default:
        return false;
    }
  }

  perform(response, record, { method, args, caller, warning, fault }) {
    let body;
    try {
      body = { ok: true, ...METHODS[method]({ ...this.world, ...caller, args }) };
    } catch (error) {
      if (!(error instanceof SlackError)) throw error;
      body = { ok: false, error: error.code, ...error.details };
    }
    if (warning) body = { ...body, warning, response_metadata: { warnings: [warning], ...body.response_metadata } };
    record.ts = body.ts;
    if (fault.kind === "drop_answer") {
      record.outcome = `dropped ${outcomeOf(body)}`;
      response.socket?.destroy();
    } else if (fault.kind === "hang") {
      record.outcome = `hung ${outcomeOf(body)}`;
    } else {
      this.answer(response, record, body);
    }
  }

  authenticate(token) {
    if (!token) return { error: "not_authed" };
    const record = this.world.workspace.tokens.get(token);
    if (!record) return { error: "invalid_auth" };
    if (record.state !== "live") return { error: record.state };
    return { token: record, app: this.world.workspace.apps.get(record.app) };
  }

  limited(response, record, seconds) {
    response.setHeader("retry-after", String(seconds));
    this.answer(response, record, { ok: false, error: "ratelimited" }, 429);
  }

  answer(response, record, body, status = 200) {
    record.outcome = outcomeOf(body);
    response.writeHead(status, {
      "content-type": "application/json; charset=utf-8",
      "x-slack-req-id": this.world.workspace.random.faults.hex(32),
      "x-oauth-scopes": SCOPES,
      "cache-control": "private, no-cache, no-store, must-revalidate",
      vary: "Accept-Encoding",
    });
    response.end(JSON.stringify(body));
  }
}

function outcomeOf(body) {
  return body.ok ? "ok" : body.error;
}

function bearer(request) {
  return /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
}

/** Arguments come from the query, a form, or JSON; a form carries arrays and objects as JSON text. */
async function readArguments(request, url) {
  const args = Object.fromEntries(url.searchParams);
  if (request.method === "GET") return { args };
  if (request.method !== "POST") return { args, problem: "invalid_post_type" };
  const body = await readBody(request, BODY_LIMIT);
  if (body === null) return { args, problem: "request_timeout" };
  const [type, ...parameters] = (request.headers["content-type"] ?? "").toLowerCase().split(";");
  if (type.trim() === "application/json") {
    try {
      const json = JSON.parse(body);
      if (typeof json !== "object" || json === null || Array.isArray(json)) return { args, problem: "json_not_object" };
      const warning = parameters.some((one) => one.includes("charset")) ? undefined : "missing_charset";
      return { args: { ...args, ...json }, warning };
    } catch {
      return { args, problem: "invalid_json" };
    }
  }
  if (type.trim() !== "application/x-www-form-urlencoded" && body !== "") return { args, problem: "invalid_form_data" };
  return { args: { ...args, ...Object.fromEntries(new URLSearchParams(body)) } };
}
