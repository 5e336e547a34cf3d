// The fake Slack against plain Node: events, retries, faults, batches, saved state. Run: node --test fake-slack.test.mjs

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { apiOf, controlOf } from "./control-client.mjs";
import { startReceiver } from "./event-receiver.mjs";
import { startFakeSlack } from "./fake-slack/server.mjs";

const running = [];

/** A fake with a subscribed receiver. */
async function connected(options = {}, behaviour) {
  const slack = await startFakeSlack({ retryDelays: [5, 5, 5], ackTimeout: 200, seed: 7, ...options });
  const control = controlOf(slack.url);
  const { app } = await control("workspace");
  const receiver = await startReceiver(() => app.signing_secret, behaviour);
  running.push(slack, receiver);
  const { subscription } = await control("subscription", { url: receiver.url });
  assert.equal(subscription.verified, true);
  return { slack, control, receiver, app, api: apiOf(slack.url, app.token) };
}

const folder = mkdtempSync(join(tmpdir(), "fake-slack-"));

after(async () => {
  await Promise.all(running.map((one) => one.close()));
  rmSync(folder, { recursive: true });
});

test("a_persons_message_arrives_as_a_signed_event_with_blocks", async () => {
  const { control, receiver } = await connected();
  const text = "*hi* <@U0ROBIN>, see <https://example.org/a?b=1&amp;c=2|this> :tada:";
  const { messages } = await control("messages", { channel: "general", user: "ana", text, wait: true });
  const [attempt] = receiver.attempts;
  assert.equal(attempt.signatureValid, true);
  const { event, ...envelope } = attempt.body;
  assert.match(envelope.event_id, /^Ev[0-9A-Z]{10}$/);
  assert.equal(envelope.team_id, "T0HUBBUB");
  assert.deepEqual(envelope.authorizations.map(({ user_id: user }) => user), ["U0ROBIN"]);
  const { client_msg_id: clientMsgId, blocks, ...plain } = event;
  const { ts } = messages[0];
  const where = { team: "T0HUBBUB", channel: "C0GENERAL", channel_type: "channel" };
  assert.deepEqual(plain, { user: "U0ANA", type: "message", ts, event_ts: ts, text, ...where });
  assert.equal(clientMsgId, messages[0].client_msg_id);
  assert.deepEqual(blocks[0].elements[0].elements, [
    { type: "text", text: "hi", style: { bold: true } },
    { type: "text", text: " " },
    { type: "user", user_id: "U0ROBIN" },
    { type: "text", text: ", see " },
    { type: "link", url: "https://example.org/a?b=1&c=2", text: "this" },
    { type: "text", text: " " },
    { type: "emoji", name: "tada" },
  ]);
});

test("what_the_owner_posts_by_api_is_echoed_with_its_metadata", async () => {
  const { api, control, receiver, app } = await connected();
  const metadata = { event_type: "bridge_txn", event_payload: { t: "txn-1" } };
  const posted = await api("chat.postMessage", { channel: "C0GENERAL", text: "a < b & c > d", metadata });
  await control("wait", {});
  const [echo] = receiver.events();
  assert.equal(posted.ok, true);
  assert.equal(echo.ts, posted.ts);
  assert.equal(echo.text, "a &lt; b &amp; c &gt; d");
  assert.deepEqual([echo.user, echo.app_id, echo.bot_id], [app.owner, app.id, app.bot_id]);
  assert.deepEqual(echo.metadata, metadata);
  const history = await api("conversations.history", { channel: "C0GENERAL", include_all_metadata: true });
  assert.deepEqual(history.messages[0].metadata, metadata);
});

test("events_of_conversations_without_the_owner_are_not_sent", async () => {
  const { control, receiver } = await connected();
  await control("messages", { channel: "elsewhere", user: "ana", text: "unseen", wait: true });
  assert.equal(receiver.attempts.length, 0);
});

test("a_refused_event_comes_again_with_retry_headers_and_is_given_up_after_three", async () => {
  const { control, receiver } = await connected({}, () => 500);
  const { states } = await control("messages", { user: "ana", text: "again", wait: true });
  assert.deepEqual(states, { gave_up: 1 });
  assert.deepEqual(receiver.attempts.map(({ headers }) => headers["x-slack-retry-num"]), [undefined, "1", "2", "3"]);
  assert.equal(receiver.attempts[1].headers["x-slack-retry-reason"], "http_error");
  assert.equal(new Set(receiver.attempts.map(({ body }) => body.event_id)).size, 1);
});

test("a_slow_answer_is_a_timeout_and_no_retry_is_honoured", async () => {
  let first = true;
  const { control, receiver } = await connected({}, () => {
    if (!first) return { status: 500, headers: { "x-slack-no-retry": "1" } };
    first = false;
    return "hang";
  });
  const { states } = await control("messages", { user: "ana", text: "slow", wait: true });
  assert.deepEqual(states, { gave_up: 1 });
  assert.equal(receiver.attempts.length, 2);
  assert.equal(receiver.attempts[1].headers["x-slack-retry-reason"], "http_timeout");
});

test("a_batch_is_stored_in_order_and_delivered_twice_and_shuffled_by_seed", async () => {
  const orders = [];
  for (let round = 0; round < 2; round += 1) {
    const { control, receiver } = await connected();
    const messages = Array.from({ length: 20 }, (_, index) => ({ user: "ana", text: `message ${index}` }));
    const sent = await control("messages", { messages, twice: true, shuffle: true, parallel: 1, wait: true });
    assert.deepEqual(sent.states, { acknowledged: 40 });
    const stored = await control("messages?channel=general");
    assert.deepEqual(stored.messages.map(({ text }) => text), messages.map(({ text }) => text));
    assert.deepEqual([...stored.messages.map(({ ts }) => ts)].sort(), stored.messages.map(({ ts }) => ts));
    const order = receiver.events().map(({ text }) => text);
    assert.notDeepEqual(order, [...order].sort());
    orders.push(order);
  }
  assert.deepEqual(orders[0], orders[1]);
});

test("groups_are_settled_one_after_the_other", async () => {
  const { control, receiver } = await connected();
  const messages = Array.from({ length: 9 }, (_, index) => ({ user: "ana", text: `${index}` }));
  await control("messages", { messages, group: 3, shuffle: true, wait: true });
  const groups = receiver.events().map(({ text }) => Math.floor(Number(text) / 3));
  assert.deepEqual(groups, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
});

test("messages_stored_without_delivery_are_in_the_history_and_can_be_delivered_later", async () => {
  const { api, control, receiver } = await connected();
  const { messages } = await control("messages", { user: "ana", text: "missed", deliver: false, wait: true });
  assert.equal(receiver.attempts.length, 0);
  assert.equal((await api("conversations.history", { channel: "C0GENERAL" })).messages[0].text, "missed");
  await control("deliver", { channel: "general" });
  await control("wait", {});
  assert.deepEqual(receiver.attempts.map(({ body }) => body.event_id), messages[0].event_ids);
});

test("the_post_rate_answers_429_with_retry_after", async () => {
  const { api } = await connected({ postRate: 2 });
  const answers = [];
  for (let index = 0; index < 3; index += 1) answers.push(await api("chat.postMessage", { channel: "C0GENERAL", text: "fast" }));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 429]);
  assert.deepEqual([answers[2].error, answers[2].retryAfter], ["ratelimited", "1"]);
  assert.equal((await api("chat.postMessage", { channel: "C0RANDOM", text: "another channel" })).ok, true);
});

test("a_script_of_faults_drops_answers_after_applying_or_before", async () => {
  const { api, control } = await connected();
  const refusals = [{ kind: "ratelimited", retry_after: 7 }, { kind: "error", error: "fatal_error" }, { kind: "http", status: 502 }];
  await control("faults", { script: ["drop_answer", "close", ...refusals] });
  const post = (text) => api("chat.postMessage", { channel: "C0GENERAL", text });
  await assert.rejects(post("applied"));
  await assert.rejects(post("not applied"));
  assert.equal((await post("limited")).retryAfter, "7");
  assert.equal((await post("failed")).error, "fatal_error");
  await assert.rejects(post("html"), SyntaxError);
  assert.equal((await post("fine")).ok, true);
  const { messages } = await control("messages?channel=general&from=app");
  assert.deepEqual(messages.map(({ text }) => text), ["applied", "fine"]);
  const { calls } = await control("calls?method=chat.postMessage");
  assert.deepEqual(calls.map(({ outcome }) => outcome), ["dropped ok", "cut", "ratelimited", "fatal_error", "http 502", "ok"]);
});

test("edits_deletions_unfurls_and_reactions_have_their_events", async () => {
  const { control, receiver } = await connected();
  const { messages } = await control("messages", { user: "ana", text: "one", wait: true });
  const at = { channel: "general", ts: messages[0].ts };
  await control("unfurl", at);
  await control("wait", {});
  await control("edit", { ...at, text: "two" });
  await control("wait", {});
  await control("reaction", { ...at, user: "emi", name: "tada" });
  await control("wait", {});
  await control("delete", at);
  await control("wait", {});
  const [, unfurled, edited, reaction, deleted] = receiver.events();
  assert.deepEqual([unfurled.subtype, unfurled.message.edited], ["message_changed", undefined]);
  assert.deepEqual([edited.subtype, edited.message.text, edited.previous_message.text], ["message_changed", "two", "one"]);
  assert.deepEqual([reaction.type, reaction.reaction, reaction.item.ts], ["reaction_added", "tada", at.ts]);
  assert.deepEqual([deleted.subtype, deleted.deleted_ts], ["message_deleted", at.ts]);
});

test("the_first_message_of_a_thread_stays_as_a_tombstone", async () => {
  const { api, control, receiver } = await connected();
  const { messages: [root] } = await control("messages", { user: "ana", text: "root", wait: true });
  await control("messages", { user: "emi", text: "reply", thread_ts: root.ts, wait: true });
  await control("delete", { channel: "general", ts: root.ts });
  await control("wait", {});
  const deleted = receiver.events().at(-1);
  assert.deepEqual([deleted.subtype, deleted.message.subtype, deleted.message.ts], ["message_changed", "tombstone", root.ts]);
  const { messages } = await api("conversations.history", { channel: root.channel });
  assert.equal(messages.find(({ ts }) => ts === root.ts).subtype, "tombstone");
});

test("a_revoked_token_is_told_and_refused_and_another_takes_its_place", async () => {
  const { api, control, receiver } = await connected();
  await control("token/revoke", {});
  assert.equal((await api("auth.test")).error, "token_revoked");
  const { token } = await control("token/restore", {});
  assert.equal((await api("auth.test", {}, token)).user_id, "U0ROBIN");
  await control("wait", {});
  assert.deepEqual(receiver.events()[0].tokens, { oauth: ["U0ROBIN"], bot: [] });
});

test("a_wrong_challenge_is_reported_and_the_url_not_kept", async () => {
  const { control, slack } = await connected();
  const { subscription } = await control("subscription", { url: `${slack.url}/api/api.test` });
  assert.deepEqual([subscription.ok, subscription.reason], [false, "challenge_failed"]);
  assert.notEqual((await control("workspace")).app.subscription, `${slack.url}/api/api.test`);
});

test("held_deliveries_survive_a_restart_with_the_rest_of_the_state", async () => {
  const state = join(folder, "state.json");
  const { control, slack, receiver } = await connected({ state });
  await control("hold", { held: true });
  await control("messages", { user: "ana", text: "kept" });
  const token = (await control("workspace")).app.token;
  await slack.close();
  const again = await startFakeSlack({ state, retryDelays: [5] });
  running.splice(running.indexOf(slack), 1, again);
  assert.equal((await controlOf(again.url)("wait", {})).settled, true);
  assert.deepEqual(receiver.events().map(({ text }) => text), ["kept"]);
  assert.equal((await apiOf(again.url, token)("conversations.history", { channel: "C0GENERAL" })).messages[0].text, "kept");
});

test("the_demo_talks_through_webhooks_and_answers_the_owner", async () => {
  const { api, control, receiver, slack } = await connected({ demo: true, demoInterval: 40 });
  assert.ok((await control("messages?channel=general")).total >= 10);
  const { ts } = await api("chat.postMessage", { channel: "C0GENERAL", text: "Hello from Matrix" });
  for (let waited = 0; waited < 100 && !receiver.events().some((event) => event.item?.ts === ts); waited += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  slack.demo.run(false);
  await control("wait", {});
  const spoken = new Set(receiver.events().filter((event) => event.type === "message").map((event) => event.channel));
  assert.ok(spoken.has("C0GENERAL") && spoken.has("C0RANDOM"));
  assert.ok(receiver.events().some((event) => event.item?.ts === ts));
});
