// The npm package `emulate` as an independent Slack: by itself, and as the other end of a Hubbub.
//
// node --test emulate.test.mjs                              what emulate and the shim do
//
// With a Hubbub whose Slack login is connected to a running `emulate.mjs` (its /api/ as Slack's, the token and secret
// of /_shim/info), the round trip too. It needs EMULATE_URL (the line that emulate.mjs printed), HUBBUB_URL,
// HUBBUB_ACCESS_TOKEN (of the owner), HUBBUB_ROOM (the portal of EMULATE_CHANNEL, default `general`), SLACK_HOOK_URL
// (where the login takes events) and SLACK_SIGNING_SECRET (where it differs from the shim's).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { startReceiver } from "./event-receiver.mjs";

const { EMULATE_URL, HUBBUB_URL, HUBBUB_ACCESS_TOKEN, HUBBUB_ROOM, SLACK_HOOK_URL, SLACK_SIGNING_SECRET } = process.env;
const CHANNEL = process.env.EMULATE_CHANNEL ?? "general";
const ROUND_TRIP = [EMULATE_URL, HUBBUB_URL, HUBBUB_ACCESS_TOKEN, HUBBUB_ROOM, SLACK_HOOK_URL].every(Boolean);

/** Starts `emulate.mjs`; resolves to its URL and how to end it. */
async function startEmulate() {
  const child = spawn(process.execPath, [fileURLToPath(new URL("emulate.mjs", import.meta.url))], { stdio: ["ignore", "pipe", "inherit"] });
  const url = await new Promise((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      const ready = /^ready (\S+)/m.exec(String(chunk));
      if (ready) resolve(ready[1]);
    });
    child.on("exit", (code) => reject(new Error(`emulate.mjs ended with ${code}`)));
  });
  const close = () => new Promise((resolve) => {
    child.on("exit", resolve);
    child.kill("SIGTERM");
  });
  return { url, close };
}

async function shim(url, name, input) {
  const options = input === undefined ? {} : { method: "POST", body: JSON.stringify(input) };
  return (await fetch(`${url}/_shim/${name}`, options)).json();
}

/** Calls the Web API of emulate by a form, as most clients do. */
async function slackCall(url, token, method, args = {}) {
  const response = await fetch(`${url}/api/${method}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: new URLSearchParams(args),
  });
  const body = await response.json();
  assert.equal(body.ok, true, `${method}: ${body.error}`);
  return body;
}

async function eventually(check, what) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`it never was: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("emulate and its shim", () => {
  let emulate;
  let info;
  let receiver;

  before(async () => {
    emulate = await startEmulate();
    info = await shim(emulate.url, "info");
    receiver = await startReceiver(() => info.signing_secret);
  });

  after(() => Promise.all([emulate.close(), receiver.close()]));

  const person = (name) => info.people.find((one) => one.name === name);
  const channel = (name) => info.channels.find((one) => one.name === name).id;

  test("the_hook_is_kept_once_it_returned_the_challenge", async () => {
    assert.equal((await shim(emulate.url, "subscribe", { url: receiver.url })).ok, true);
    assert.equal((await shim(emulate.url, "info")).hook, receiver.url);
  });

  test("a_persons_message_arrives_signed_in_a_whole_envelope", async () => {
    const posted = await slackCall(emulate.url, person("ana").token, "chat.postMessage", { channel: channel("hub"), text: "from *emulate*" });
    const attempt = await eventually(() => receiver.attempts.at(-1), "the event");
    assert.equal(attempt.signatureValid, true);
    const { event, ...envelope } = attempt.body;
    assert.match(envelope.event_id, /^Ev\w+$/);
    assert.deepEqual([envelope.team_id, envelope.api_app_id, envelope.authorizations[0].user_id], [info.team, info.app, info.owner]);
    assert.deepEqual(
      [event.type, event.user, event.ts, event.event_ts, event.channel_type, event.text],
      ["message", person("ana").id, posted.ts, posted.ts, "channel", "from *emulate*"],
    );
  });

  test("a_message_by_the_owners_token_is_echoed_and_in_the_history_with_its_metadata", async () => {
    const metadata = { event_type: "bridge_txn", event_payload: { t: "txn-7" } };
    const args = { channel: channel("hub"), text: "from the owner", metadata: JSON.stringify(metadata) };
    const { ts } = await slackCall(emulate.url, info.token, "chat.postMessage", args);
    const echo = await eventually(() => receiver.events().find((event) => event.ts === ts), "the echo");
    assert.deepEqual([echo.user, echo.metadata], [info.owner, metadata]);
    const history = await slackCall(emulate.url, info.token, "conversations.history", { channel: channel("hub"), include_all_metadata: "true" });
    assert.deepEqual([history.messages[0].ts, history.messages[0].metadata], [ts, metadata]);
  });

  test("the_shim_answers_get_and_users_conversations", async () => {
    const headers = { authorization: `Bearer ${info.token}` };
    const mine = await (await fetch(`${emulate.url}/api/users.conversations?types=public_channel`, { headers })).json();
    assert.deepEqual(mine.channels.map(({ name }) => name).sort(), ["general", "hub", "random"]);
    const history = await (await fetch(`${emulate.url}/api/conversations.history?channel=${channel("hub")}`, { headers })).json();
    assert.equal(history.messages.length, 2);
  });
});

describe("emulate and Hubbub", { skip: ROUND_TRIP ? false : "EMULATE_URL, HUBBUB_URL and the others are not set" }, () => {
  let info;
  let channel;
  const mark = `${Date.now() % 1_000_000}`;

  const matrix = async (method, path, body) => {
    const response = await fetch(`${HUBBUB_URL}/_matrix/client/v3${path}`, {
      method,
      headers: { authorization: `Bearer ${HUBBUB_ACCESS_TOKEN}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    assert.equal(response.status, 200, `${path}: ${answer.errcode}`);
    return answer;
  };
  const room = encodeURIComponent(HUBBUB_ROOM ?? "");
  const inRoom = async (text) => {
    const { chunk } = await matrix("GET", `/rooms/${room}/messages?dir=b&limit=100`);
    return chunk.filter((event) => event.content.body?.includes(text));
  };
  const inSlack = async (text) => {
    const { messages } = await slackCall(EMULATE_URL, info.token, "conversations.history", { channel, limit: "200" });
    return messages.filter((message) => message.text.includes(text));
  };

  before(async () => {
    info = await shim(EMULATE_URL, "info");
    channel = info.channels.find((one) => one.name === CHANNEL).id;
    const result = await shim(EMULATE_URL, "subscribe", { url: SLACK_HOOK_URL, signing_secret: SLACK_SIGNING_SECRET });
    assert.equal(result.ok, true, JSON.stringify(result));
  });

  test("a_person_of_emulate_is_heard_in_the_room_once", async () => {
    const text = `from emulate ${mark}`;
    const ana = info.people.find((one) => one.name === "ana");
    await slackCall(EMULATE_URL, ana.token, "chat.postMessage", { channel, text });
    const [event] = await eventually(async () => {
      const found = await inRoom(text);
      return found.length > 0 && found;
    }, "the message in the room");
    assert.ok(event.sender.startsWith("@_slack_"), event.sender);
    assert.equal((await inRoom(text)).length, 1);
  });

  test("what_the_owner_answers_in_the_room_is_in_emulates_history_once_and_does_not_come_back", async () => {
    const text = `from matrix ${mark}`;
    await matrix("PUT", `/rooms/${room}/send/m.room.message/emulate-${mark}`, { msgtype: "m.text", body: text });
    const [message] = await eventually(async () => {
      const found = await inSlack(text);
      return found.length > 0 && found;
    }, "the answer in emulate");
    assert.equal(message.user, info.owner);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual([(await inSlack(text)).length, (await inRoom(text)).length], [1, 1]);
  });
});
