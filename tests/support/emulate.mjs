#!/usr/bin/env node
// The npm package `emulate` (an independent Slack server) on loopback, with a small shim before and behind it.
//
// emulate has Slack's Web API, but its package offers no way to subscribe to its events, answers POST only, knows no
// `users.conversations`, and its envelopes lack fields that Slack always sends. The shim adds those, signs, and
// passes everything else through: what a message is, who may post and what the history holds stays emulate's word.
//
//   node emulate.mjs [--port N] [--signing-secret S] [--hook URL]
//
// prints `ready http://127.0.0.1:PORT`: there /api/METHOD is the Web API, and /_shim/info, /_shim/subscribe,
// /_shim/deliveries move the shim. Needs Node 24: an older one starts the `node-linux-*` package beside it.

import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import http from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { signedHeaders } from "./fake-slack/envelope.mjs";
import { readBody } from "./fake-slack/http-body.mjs";
import { Sender } from "./fake-slack/outgoing.mjs";

const NODE_MAJOR = 24;
const OWNER = "U000000001";
const APP = "A0EMULATE0";
const PEOPLE = ["ana", "chidi"];
const BODY_LIMIT = 1024 * 1024;

/** The path of emulate's Slack module, found by what it exports: its file name is a hash. */
function slackModule() {
  const dist = dirname(fileURLToPath(import.meta.resolve("emulate")));
  const file = readdirSync(dist).find((name) => name.endsWith(".js") && /^\s*slackPlugin,?$/m.test(readFileSync(join(dist, name), "utf8")));
  if (!file) throw new Error("emulate has no Slack module any more");
  return pathToFileURL(join(dist, file));
}

/** Starts emulate; resolves to its URL and its dispatcher, caught when its Slack service registers. */
async function startEmulator(tokens) {
  const { slackPlugin } = await import(slackModule());
  const { createEmulator } = await import("emulate");
  let webhooks;
  const register = slackPlugin.register;
  slackPlugin.register = (app, store, dispatcher, ...rest) => {
    webhooks = dispatcher;
    return register.call(slackPlugin, app, store, dispatcher, ...rest);
  };
  const users = PEOPLE.map((name) => ({ name, real_name: `${name[0].toUpperCase()}${name.slice(1)} of Emulate` }));
  const seed = {
    slack: {
      team: { name: "Emulate", domain: "emulate" },
      users,
      channels: [{ name: "hub", topic: "Everybody is in here" }],
      tokens: Object.entries(tokens).map(([user, token]) => ({ token, user, type: "user", app_id: APP })),
    },
  };
  const emulator = await createEmulator({ service: "slack", port: 0, seed });
  return { emulator, url: emulator.url.replace("localhost", "127.0.0.1"), webhooks };
}

class Shim {
  constructor({ url, tokens, secret }) {
    this.upstream = url;
    this.tokens = tokens;
    this.secret = secret;
    this.hook = null;
    this.sender = new Sender(16);
    this.deliveries = [];
    this.channelTypes = new Map();
  }

  /** Calls emulate's Web API as `user` (`admin` is the owner). */
  async call(method, args = {}, user = "admin") {
    const response = await fetch(`${this.upstream}/api/${method}`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.tokens[user]}`, "content-type": "application/json" },
      body: JSON.stringify(args),
    });
    return response.json();
  }

  /** What a test must know: ids, tokens, secret. */
  async info() {
    const auth = await this.call("auth.test");
    const { members } = await this.call("users.list");
    const { channels } = await this.call("conversations.list", { types: "public_channel,private_channel,im,mpim" });
    const people = members.map(({ id, name, real_name: realName }) => ({ id, name, real_name: realName, token: this.tokens[name] ?? null }));
    const list = channels.map(({ id, name }) => ({ id, name }));
    return { team: auth.team_id, owner: auth.user_id, token: this.tokens.admin, app: APP, signing_secret: this.secret, hook: this.hook, people, channels: list };
  }

  /** Points the events at `url`, after the challenge that Slack would send. */
  async subscribe({ url, signing_secret: secret }) {
    if (secret) this.secret = secret;
    const challenge = randomBytes(20).toString("hex");
    const answer = await this.post(url, JSON.stringify({ token: "emulate", challenge, type: "url_verification" }));
    const verified = answer.status === 200 && answer.text.includes(challenge);
    if (verified) this.hook = url;
    return { ok: verified, status: answer.status ?? null, reason: answer.failure ?? null };
  }

  post(url, body) {
    return this.sender.post(url, signedHeaders(this.secret, body), body, 3000);
  }

  /** Takes one event from emulate, completes and signs it, and sends it on, with Slack's retries in short. */
  async forward(text) {
    const body = JSON.stringify(await this.complete(JSON.parse(text)));
    const delivery = { event_id: JSON.parse(body).event_id, attempts: [] };
    this.deliveries.push(delivery);
    for (const wait of [0, 100, 500, 2000]) {
      if (!this.hook) return 200;
      await new Promise((resolve) => setTimeout(resolve, wait));
      const { status = null, failure = null, ms } = await this.post(this.hook, body);
      delivery.attempts.push({ status, failure, ms });
      if (status >= 200 && status < 300) return status;
    }
    return 502;
  }

  /** Adds what emulate's envelopes lack; never changes what they have. */
  async complete(envelope) {
    const event = { ...envelope.event };
    event.event_ts ??= event.ts ?? `${envelope.event_time}.000000`;
    if (typeof event.channel === "string") event.channel_type ??= await this.channelType(event.channel);
    const identity = [envelope.team_id, event.type, event.subtype, event.channel ?? event.item?.channel, event.event_ts, event.user, event.reaction];
    const digest = createHash("sha256").update(JSON.stringify(identity)).digest("hex").toUpperCase();
    return {
      token: "emulate",
      api_app_id: APP,
      event_id: `Ev${digest.slice(0, 12)}`,
      authorizations: [{ enterprise_id: null, team_id: envelope.team_id, user_id: OWNER, is_bot: false, is_enterprise_install: false }],
      is_ext_shared_channel: false,
      event_context: `4-${digest.slice(12, 40)}`,
      ...envelope,
      event,
    };
  }

  async channelType(id) {
    if (!this.channelTypes.has(id)) {
      const { channel } = await this.call("conversations.info", { channel: id });
      const kind = channel?.is_im || id.startsWith("D") ? "im" : channel?.is_mpim ? "mpim" : channel?.is_private ? "group" : "channel";
      this.channelTypes.set(id, kind);
    }
    return this.channelTypes.get(id);
  }

  /** Passes a Web API call on: a GET becomes a POST, a token in the arguments a header. */
  async proxy(request, response, url) {
    const raw = request.method === "POST" ? await readBody(request, BODY_LIMIT) : "";
    const json = (request.headers["content-type"] ?? "").includes("json");
    const form = new URLSearchParams([...url.searchParams, ...(json ? [] : new URLSearchParams(raw))]);
    const token = /^Bearer (\S+)/i.exec(request.headers.authorization ?? "")?.[1] ?? form.get("token");
    form.delete("token");
    const method = url.pathname === "/api/users.conversations" ? "/api/conversations.list" : url.pathname;
    const answer = await fetch(this.upstream + method, {
      method: "POST",
      headers: {
        "content-type": json ? "application/json" : "application/x-www-form-urlencoded",
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      body: json ? raw : form.toString(),
    });
    let body = await answer.text();
    if (method !== url.pathname) {
      const list = JSON.parse(body);
      body = JSON.stringify({ ...list, channels: list.channels?.filter((channel) => channel.is_member) });
    }
    response.writeHead(answer.status, { "content-type": "application/json; charset=utf-8" });
    response.end(body);
  }

  async handle(request, response) {
    const url = new URL(request.url, "http://shim.invalid");
    const reply = (status, body) => {
      response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
      response.end(JSON.stringify(body));
    };
    switch (url.pathname) {
      case "/_shim/event":
        return reply(await this.forward(await readBody(request, BODY_LIMIT)), {});
      case "/_shim/info":
        return reply(200, await this.info());
      case "/_shim/subscribe":
        return reply(200, await this.subscribe(JSON.parse(await readBody(request, BODY_LIMIT))));
      case "/_shim/deliveries":
        return reply(200, { deliveries: this.deliveries });
      default:
        return this.proxy(request, response, url);
    }
  }
}

async function main({ port = "0", "signing-secret": secret = randomBytes(16).toString("hex"), hook }) {
  const tokens = Object.fromEntries(["admin", ...PEOPLE].map((user) => [user, `xoxp-emulate-${randomBytes(12).toString("hex")}`]));
  const { emulator, url, webhooks } = await startEmulator(tokens);
  const shim = new Shim({ url, tokens, secret });
  const server = http.createServer((request, response) => {
    shim.handle(request, response).catch((error) => {
      process.stderr.write(`emulate shim: ${error.stack}\n`);
      response.destroy();
    });
  });
  server.keepAliveTimeout = 600_000;
  await new Promise((resolve) => server.listen(Number(port), "127.0.0.1", resolve));
  const own = `http://127.0.0.1:${server.address().port}`;
  webhooks.register({ url: `${own}/_shim/event`, events: ["*"], active: true, owner: "slack" });
  const end = () => {
    shim.sender.close();
    server.closeAllConnections();
    emulator.close().finally(() => process.exit(0));
  };
  for (const signal of ["SIGINT", "SIGTERM", "disconnect"]) process.on(signal, end);
  if (hook) {
    const result = await shim.subscribe({ url: hook });
    if (!result.ok) process.stderr.write(`emulate shim: the hook did not answer its challenge: ${JSON.stringify(result)}\n`);
  }
  process.stdout.write(`ready ${own}\n`);
}

/** Starts this file again under the Node of the `node-linux-*` package, and lives and dies with it. */
function underNewerNode() {
  const node = fileURLToPath(new URL(`node_modules/node-linux-${process.arch}/bin/node`, import.meta.url));
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  // Killed outright, this process still takes the child along: the channel between them closes.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code) => process.exit(code ?? 1));
}

const { values } = parseArgs({ options: { port: { type: "string" }, "signing-secret": { type: "string" }, hook: { type: "string" } } });
if (Number(process.versions.node.split(".")[0]) < NODE_MAJOR) underNewerNode();
else await main(values);
