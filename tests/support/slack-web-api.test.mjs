// Slack's own client, @slack/web-api, against the fake: what it accepts, a bridge may rely on.
// Run: node --test slack-web-api.test.mjs

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import webApi from "@slack/web-api";

import { controlOf } from "./control-client.mjs";
import { startFakeSlack } from "./fake-slack/server.mjs";

const { ErrorCode, WebClient, retryPolicies } = webApi;
const QUIET = { debug() {}, info() {}, warn() {}, error() {}, setLevel() {}, setName() {}, getLevel: () => "error" };

let slack;
let control;
let client;
let token;

function clientFor(as, options = {}) {
  return new WebClient(as, { slackApiUrl: `${slack.url}/api/`, logger: QUIET, retryConfig: { retries: 0 }, ...options });
}

before(async () => {
  slack = await startFakeSlack({ seed: 11, postRate: 0 });
  control = controlOf(slack.url);
  token = (await control("workspace")).app.token;
  client = clientFor(token);
});

after(() => slack.close());

/** The error word of a refused call. */
async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    assert.equal(error.code, ErrorCode.PlatformError);
    return error.data.error;
  }
  throw new assert.AssertionError({ message: "the call was not refused" });
}

test("auth_test_and_team_info_tell_who_and_where", async () => {
  const auth = await client.auth.test();
  assert.deepEqual([auth.team_id, auth.user_id, auth.user, auth.ok], ["T0HUBBUB", "U0ROBIN", "robin", true]);
  assert.ok(auth.response_metadata.scopes.includes("chat:write"));
  assert.equal((await client.team.info()).team.name, "Hubbub Demo");
  assert.equal((await client.api.test({ foo: "bar" })).args.foo, "bar");
});

test("people_and_conversations_are_listed_by_type_over_several_pages", async () => {
  await control("settings", { ragged_pages: true });
  const people = [];
  for await (const page of client.paginate("users.list", { limit: 2 })) people.push(...page.members);
  assert.deepEqual([...new Set(people.map(({ name }) => name))].length, people.length);
  assert.ok(people.some(({ profile }) => profile.real_name === "江美 Emi"));

  const types = "public_channel,private_channel,mpim,im";
  const mine = [];
  for await (const page of client.paginate("users.conversations", { limit: 2, types })) mine.push(...page.channels);
  await control("settings", { ragged_pages: false });
  assert.deepEqual(mine.map(({ id }) => id).sort(), ["C0GENERAL", "C0GROUPDM", "C0RANDOM", "C0SECRET", "D0ANA"]);
  assert.equal(mine.find(({ is_im: im }) => im).user, "U0ANA");

  const visible = await client.conversations.list({ types: "public_channel", exclude_archived: true });
  const elsewhere = visible.channels.find(({ name }) => name === "elsewhere");
  assert.equal(elsewhere.is_member, false);
  assert.equal((await client.conversations.info({ channel: "C0SECRET" })).channel.is_private, true);
  assert.deepEqual((await client.conversations.members({ channel: "D0ANA" })).members, ["U0ROBIN", "U0ANA"]);
  assert.equal((await client.users.info({ user: "U0DANA" })).user.profile.real_name, "Dana O'Neill");
});

test("a_posted_message_comes_back_from_the_history_with_its_metadata", async () => {
  const metadata = { event_type: "bridge_txn", event_payload: { t: "txn-9", n: 3 } };
  const blocks = [{ type: "rich_text", elements: [{ type: "rich_text_section", elements: [{ type: "text", text: "hi", style: { bold: true } }] }] }];
  const posted = await client.chat.postMessage({ channel: "C0GENERAL", text: "*hi*", blocks, metadata });
  assert.match(posted.ts, /^\d+\.\d{6}$/);
  assert.equal(posted.message.text, "*hi*");

  const range = { channel: "C0GENERAL", oldest: posted.ts, inclusive: true };
  const bare = await client.conversations.history(range);
  assert.equal(bare.messages.length, 1);
  assert.equal(bare.messages[0].metadata, undefined);
  const full = await client.conversations.history({ ...range, include_all_metadata: true });
  assert.deepEqual(full.messages[0].metadata, metadata);
  assert.equal(full.messages[0].blocks[0].elements[0].elements[0].text, "hi");
  assert.equal((await client.conversations.history({ ...range, inclusive: false })).messages.length, 0);
});

test("history_pages_newest_first_without_gap_or_duplicate", async () => {
  const { channel } = await control("channels", { name: "long", members: ["robin", "ana"] });
  const messages = Array.from({ length: 120 }, (_, index) => ({ channel: "long", user: "ana", text: `${index}` }));
  await control("messages", { messages });
  for (const ragged of [false, true]) {
    await control("settings", { ragged_pages: ragged });
    const texts = [];
    for await (const page of client.paginate("conversations.history", { channel: channel.id, limit: 25 })) {
      texts.push(...page.messages.map(({ text }) => text));
    }
    assert.deepEqual(texts, messages.map(({ text }) => text).reverse());
  }
  await control("settings", { ragged_pages: false });
});

test("a_thread_is_read_oldest_first_and_stays_out_of_the_history", async () => {
  const root = await client.chat.postMessage({ channel: "C0RANDOM", text: "root" });
  await client.chat.postMessage({ channel: "C0RANDOM", text: "reply", thread_ts: root.ts });
  await client.chat.postMessage({ channel: "C0RANDOM", text: "broadcast", thread_ts: root.ts, reply_broadcast: true });
  const thread = await client.conversations.replies({ channel: "C0RANDOM", ts: root.ts });
  assert.deepEqual(thread.messages.map(({ text }) => text), ["root", "reply", "broadcast"]);
  assert.equal(thread.messages[0].reply_count, 2);
  const history = await client.conversations.history({ channel: "C0RANDOM", oldest: root.ts, inclusive: true });
  assert.deepEqual(history.messages.map(({ text }) => text), ["broadcast", "root"]);
});

test("messages_are_edited_deleted_and_reacted_to", async () => {
  const { ts } = await client.chat.postMessage({ channel: "C0RANDOM", text: "one" });
  const edited = await client.chat.update({ channel: "C0RANDOM", ts, text: "two" });
  assert.deepEqual([edited.ts, edited.text], [ts, "two"]);
  await client.reactions.add({ channel: "C0RANDOM", timestamp: ts, name: "tada" });
  assert.equal(await refusal(client.reactions.add({ channel: "C0RANDOM", timestamp: ts, name: "tada" })), "already_reacted");
  await client.reactions.remove({ channel: "C0RANDOM", timestamp: ts, name: "tada" });
  assert.equal(await refusal(client.reactions.remove({ channel: "C0RANDOM", timestamp: ts, name: "tada" })), "no_reaction");
  assert.equal((await client.chat.delete({ channel: "C0RANDOM", ts })).ts, ts);
  assert.equal(await refusal(client.chat.delete({ channel: "C0RANDOM", ts })), "message_not_found");
});

test("a_direct_conversation_is_opened_once", async () => {
  const opened = await client.conversations.open({ users: "U0CHIDI", return_im: true });
  assert.equal(opened.channel.user, "U0CHIDI");
  const again = await client.conversations.open({ users: "U0CHIDI" });
  assert.deepEqual([again.channel.id, again.already_open], [opened.channel.id, true]);
  assert.equal((await client.chat.postMessage({ channel: "U0CHIDI", text: "hello" })).channel, opened.channel.id);
});

test("refusals_have_slacks_words", async () => {
  const post = (args) => refusal(client.chat.postMessage(args));
  await control("channels", { id: "C0OLD", name: "old", members: ["robin"] });
  await control("channels/update", { channel: "old", archived: true });
  assert.equal(await post({ channel: "C0NOWHERE", text: "x" }), "channel_not_found");
  assert.equal(await post({ channel: "C0ELSEWHERE", text: "x" }), "not_in_channel");
  assert.equal(await post({ channel: "C0OLD", text: "x" }), "is_archived");
  assert.equal(await post({ channel: "C0GENERAL", text: "" }), "no_text");
  assert.equal(await post({ channel: "C0GENERAL", text: "x".repeat(40_001) }), "msg_too_long");
  assert.equal(await post({ channel: "C0GENERAL", text: "x", blocks: [{ type: "no_such_block" }] }), "invalid_blocks");
  assert.equal(await post({ channel: "C0GENERAL", text: "x", metadata: { event_type: "a" } }), "invalid_metadata_schema");
  assert.equal(await refusal(client.apiCall("conversations.fly")), "unknown_method");
  assert.equal(await refusal(clientFor(undefined).auth.test()), "not_authed");
  assert.equal(await refusal(clientFor("xoxp-unknown").auth.test()), "invalid_auth");
});

test("a_revoked_token_is_refused_until_it_is_restored", async () => {
  await control("token/revoke", { token });
  assert.equal(await refusal(client.auth.test()), "token_revoked");
  await control("token/restore", { token });
  assert.equal((await client.auth.test()).ok, true);
});

test("the_client_waits_as_retry_after_says_and_then_succeeds", async () => {
  await control("faults", { script: [{ kind: "ratelimited", retry_after: 1 }] });
  const patient = clientFor(token, { retryConfig: retryPolicies.fiveRetriesInFiveMinutes });
  const waits = [];
  patient.on("rate_limited", (seconds) => waits.push(seconds));
  const started = Date.now();
  const posted = await patient.chat.postMessage({ channel: "C0GENERAL", text: "patience" });
  assert.equal(posted.ok, true);
  assert.deepEqual(waits, [1]);
  assert.ok(Date.now() - started >= 1000);
});

test("the_rate_of_one_a_second_refuses_the_second_message_of_a_channel", async () => {
  await control("settings", { post_rate: 1 });
  const strict = clientFor(token, { rejectRateLimitedCalls: true });
  await strict.chat.postMessage({ channel: "C0SECRET", text: "first" });
  await assert.rejects(strict.chat.postMessage({ channel: "C0SECRET", text: "second" }), (error) => {
    assert.deepEqual([error.code, error.retryAfter], [ErrorCode.RateLimitedError, 1]);
    return true;
  });
  await control("settings", { post_rate: 0 });
});

test("a_dropped_answer_is_a_network_error_but_the_message_is_there", async () => {
  await control("faults", { script: ["drop_answer", "close"] });
  for (const text of ["applied unseen", "never applied"]) {
    await assert.rejects(client.chat.postMessage({ channel: "C0SECRET", text }), { code: ErrorCode.RequestError });
  }
  const { messages } = await client.conversations.history({ channel: "C0SECRET" });
  assert.deepEqual(messages.map(({ text }) => text).filter((text) => text !== "first"), ["applied unseen"]);
});

test("a_file_goes_up_in_three_steps_and_comes_down_with_the_token_alone", async () => {
  const bytes = Buffer.from("not quite a picture");
  const given = await client.files.getUploadURLExternal({ filename: "cat.png", length: bytes.length });
  assert.equal(await refusal(client.files.completeUploadExternal({ files: [{ id: given.file_id }] })), "file_not_found");
  assert.equal((await fetch(given.upload_url, { method: "POST", body: bytes.subarray(1) })).status, 400);
  assert.equal((await fetch(given.upload_url, { method: "POST", body: bytes })).status, 200);
  const done = await client.files.completeUploadExternal({ files: [{ id: given.file_id }], channel_id: "C0RANDOM", initial_comment: "look" });
  assert.deepEqual(done.files[0].shares, {});

  const { file } = await client.files.info({ file: given.file_id });
  const [{ ts }] = file.shares.public.C0RANDOM;
  const { messages } = await client.conversations.history({ channel: "C0RANDOM", limit: 1 });
  assert.deepEqual([messages[0].ts, messages[0].subtype, messages[0].text], [ts, "file_share", "look"]);
  const download = (headers) => fetch(messages[0].files[0].url_private_download, { headers });
  const page = await download({});
  assert.deepEqual([page.status, page.headers.get("content-type").split(";")[0]], [200, "text/html"]);
  const answer = await download({ authorization: `Bearer ${token}` });
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), bytes);

  await client.files.delete({ file: given.file_id });
  assert.equal(await refusal(client.files.info({ file: given.file_id })), "file_not_found");
});

test("the_whole_upload_of_slacks_own_client_works", async () => {
  const answer = await client.files.uploadV2({ channel_id: "C0RANDOM", file: Buffer.from("words"), filename: "words.txt" });
  const [{ files }] = answer.files;
  assert.equal(files[0].name, "words.txt");
  assert.equal((await client.files.info({ file: files[0].id })).file.size, 5);
});
