// The fake Discord against the vendor's OpenAPI and plain Node. Run: node --test fake-discord.test.mjs
//
// The OpenAPI is read from `$HUBBUB_SHARED/fixtures/discord/specs` (default: `../shared` beside the checkout), which a user's
// clone does not have: then that test is skipped, except on CI, where only `HUBBUB_NO_SHARED=1` excuses it.

import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import Ajv2020 from "ajv/dist/2020.js";

import { controlOf } from "./control-client.mjs";
import { startFakeDiscord } from "./fake-discord/server.mjs";

let fake;
let control;
let general;

before(async () => {
  fake = await startFakeDiscord();
  control = controlOf(fake.url);
  general = fake.world.channel("general");
});

after(() => fake.close());

async function api(method, path, body, headers = {}) {
  const response = await fetch(`${fake.url}/api/v10${path}`, {
    method,
    headers: {
      authorization: `Bot ${fake.world.token}`, "user-agent": "DiscordBot (https://example.org, 1)",
      ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, json, text };
}

const repository = fileURLToPath(new URL("../../", import.meta.url));
const shared = resolve(repository, process.env.HUBBUB_SHARED ?? "../shared", "fixtures/discord/specs/openapi.json");
const missing = !existsSync(shared) && "the vendor's OpenAPI is not here";
if (missing && process.env.CI && process.env.HUBBUB_NO_SHARED !== "1") throw new Error(missing);

test("what_the_fake_answers_validates_against_the_vendors_openapi", { skip: missing }, async (context) => {
  const openapi = JSON.parse(readFileSync(shared, "utf8"));
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(openapi, "openapi");
  const pointer = (part) => part.replaceAll("~", "~0").replaceAll("/", "~1");
  const checked = [];
  const wrong = [];
  const check = (method, template, { status, json }) => {
    const responses = openapi.paths[template]?.[method.toLowerCase()]?.responses;
    assert.ok(responses, `${method} ${template} is in the OpenAPI`);
    const known = responses[status] ? String(status) : status >= 400 ? "4XX" : undefined;
    assert.ok(known, `${method} ${template} may answer ${status}`);
    const path = ["paths", template, method.toLowerCase(), "responses", known];
    const response = responses[known];
    if (response.$ref) path.splice(0, path.length, ...response.$ref.slice(2).split("/"));
    const resolved = path.reduce((value, key) => value[key], openapi);
    if (!resolved.content) return;
    const reference = `openapi#/${[...path, "content", "application/json", "schema"].map(pointer).map(encodeURIComponent).join("/")}`;
    const validate = ajv.compile({ $ref: reference });
    if (!validate(json)) {
      wrong.push(`${method} ${template}: ${validate.errors.slice(0, 6).map((error) => `${error.instancePath} ${error.message}`).join("; ")}`);
    }
    checked.push(`${method} ${template}`);
  };
  const call = async (method, template, names, body) => {
    const path = template.replaceAll(/\{(\w+)\}/g, (_, key) => encodeURIComponent(names[key])).replace("?", "");
    const answer = await api(method, path, body);
    check(method, template, answer);
    return answer.json;
  };

  const guild = [...fake.world.guilds.values()][0];
  const names = { guild_id: guild.id, channel_id: general.id, emoji_name: "👍" };
  await call("GET", "/gateway/bot", names);
  await call("GET", "/users/@me", names);
  await call("GET", "/users/@me/guilds", names);
  await call("GET", "/applications/@me", names);
  await call("GET", "/guilds/{guild_id}/channels", names);
  await call("GET", "/guilds/{guild_id}/roles", names);
  await call("GET", "/guilds/{guild_id}/emojis", names);
  await call("GET", "/channels/{channel_id}", names);
  const message = await call("POST", "/channels/{channel_id}/messages", names, {
    content: `hello <@${fake.world.user("ana").id}> @everyone`, nonce: "x", enforce_nonce: true, allowed_mentions: { parse: [] },
  });
  assert.deepEqual([message.mentions, message.mention_everyone], [[], false]);
  names.message_id = message.id;
  await call("POST", "/channels/{channel_id}/messages", names, { content: "reply", message_reference: { message_id: message.id } });
  await call("PATCH", "/channels/{channel_id}/messages/{message_id}", names, { content: "edited" });
  await call("PUT", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji_name}/@me", names);
  await control("messages", { channel: "general", user: "ana", content: "file", files: [{ name: "a.txt", base64: "aGk=" }] });
  await call("GET", "/channels/{channel_id}/messages", names);
  await call("GET", "/channels/{channel_id}/messages/{message_id}", names);
  await call("GET", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji_name}", names);
  const webhook = await call("POST", "/channels/{channel_id}/webhooks", names, { name: "Bridge" });
  await call("GET", "/channels/{channel_id}/webhooks", names);
  Object.assign(names, { webhook_id: webhook.id, webhook_token: webhook.token });
  const spoken = await api("POST", `/webhooks/${webhook.id}/${webhook.token}?wait=true`, { content: "as Alice", username: "Alice" });
  check("POST", "/webhooks/{webhook_id}/{webhook_token}", spoken);
  names.message_id = spoken.json.id;
  await call("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", names, { content: "edited" });
  names.message_id = message.id;
  await call("POST", "/channels/{channel_id}/messages/{message_id}/threads", names, { name: "thread" });
  await call("GET", "/guilds/{guild_id}/threads/active", names);
  await call("GET", "/channels/{channel_id}/threads/archived/public", names);
  await call("POST", "/users/@me/channels", names, { recipient_id: fake.world.user("ana").id });
  await call("GET", "/channels/{channel_id}", { channel_id: "1" });
  assert.deepEqual(wrong, []);
  context.diagnostic(`${checked.length} answers validate`);
  assert.ok(checked.length >= 23);
});

test("requests_without_token_or_user_agent_are_refused", async () => {
  assert.equal((await api("GET", "/users/@me", undefined, { authorization: "Bot wrong" })).status, 401);
  assert.equal((await api("GET", "/users/@me", undefined, { "user-agent": "curl" })).status, 403);
});

test("limits_stand_in_the_headers_and_end_in_a_429", async () => {
  Object.assign(fake.settings, { rateLimit: 2, rateWindow: 5000 });
  fake.rest.buckets.known.clear();
  const path = `/channels/${general.id}/typing`;
  const first = await api("POST", path);
  assert.deepEqual([first.status, first.headers.get("x-ratelimit-remaining")], [204, "1"]);
  await api("POST", path);
  const third = await api("POST", path);
  assert.equal(third.status, 429);
  assert.ok(third.json.retry_after > 0 && third.headers.get("retry-after"));
  assert.equal((await api("POST", `/channels/${fake.world.channel("random").id}/typing`)).status, 204);
  Object.assign(fake.settings, { rateLimit: 1000, rateWindow: 1000 });
  fake.rest.buckets.known.clear();
});

test("faults_come_on_purpose", async () => {
  await control("faults", { name: "POST /channels", kind: "html" });
  const page = await api("POST", `/channels/${general.id}/messages`, { content: "x" });
  assert.deepEqual([page.status, page.json], [429, undefined]);
  await control("faults", { name: "POST /channels", kind: "drop_answer" });
  await assert.rejects(api("POST", `/channels/${general.id}/messages`, { content: "arrived unseen" }));
  const { messages } = await control(`stored?channel=general`);
  assert.equal(messages.at(-1).content, "arrived unseen");
});

test("interactions_are_signed", async () => {
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(fake.world.publicKey, "hex")]);
  const key = createPublicKey({ key: spki, format: "der", type: "spki" });
  const seen = [];
  const server = http.createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const signed = Buffer.from(request.headers["x-signature-timestamp"] + body);
    const good = verify(null, signed, key, Buffer.from(request.headers["x-signature-ed25519"], "hex"));
    seen.push([good, JSON.parse(body).type]);
    response.writeHead(good ? 200 : 401).end("{}");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/`;
  await control("interaction", { url });
  await control("interaction", { url, user: "ana", code: "ABC-1" });
  const { status } = await control("interaction", { url, user: "ana", code: "ABC-1", tamper: true });
  server.close();
  assert.deepEqual([seen, status], [[[true, 1], [true, 2], [false, 2]], 401]);
});
