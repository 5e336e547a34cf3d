// The fake Discord proved by an independent client, `discord.js`: it logs in, talks, edits, reacts, uploads, resumes.
// Run: node --test discord-js.test.mjs

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";

import { Client, Events, GatewayIntentBits, Partials } from "discord.js";

import { controlOf } from "./control-client.mjs";
import { startFakeDiscord } from "./fake-discord/server.mjs";

let fake;
let control;
let client;
let general;

async function login() {
  const intents = [
    GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.GuildMessageReactions,
    GatewayIntentBits.GuildMessageTyping, GatewayIntentBits.DirectMessages, GatewayIntentBits.MessageContent,
    GatewayIntentBits.GuildExpressions, GatewayIntentBits.GuildWebhooks,
  ];
  const rest = { api: `${fake.url}/api`, version: "10", retries: 0 };
  const made = new Client({ intents, partials: [Partials.Message, Partials.Channel, Partials.Reaction], rest });
  const ready = once(made, Events.ClientReady);
  await made.login(fake.world.token);
  await ready;
  return made;
}

before(async () => {
  fake = await startFakeDiscord({ heartbeatInterval: 300 });
  control = controlOf(fake.url);
  client = await login();
  general = client.channels.cache.find((channel) => channel.name === "general");
});

after(async () => {
  await client.destroy();
  await fake.close();
});

/** The next event that fits. */
async function next(name, fits = () => true) {
  for (;;) {
    const given = await once(client, name);
    if (fits(...given)) return given;
  }
}

test("it_sees_the_server_with_its_channels_emoji_and_roles", () => {
  const guild = client.guilds.cache.first();
  assert.equal(guild.name, "Hubbub");
  assert.deepEqual(guild.channels.cache.map((channel) => channel.name).sort(), ["general", "ideas", "random", "talk"]);
  assert.equal(general.parent.name, "talk");
  assert.equal(general.topic, "About everything");
  assert.deepEqual(guild.emojis.cache.map((emoji) => [emoji.name, emoji.animated]), [["party", false], ["wave", true]]);
});

test("a_person_talks_and_the_bot_answers", async () => {
  const heard = next(Events.MessageCreate, (message) => message.content === "hello");
  await control("messages", { channel: "general", user: "ana", content: "hello" });
  const [message] = await heard;
  assert.equal(message.author.username, "ana");
  const answer = await message.reply({ content: "hi", allowedMentions: { repliedUser: false } });
  assert.equal(answer.reference.messageId, message.id);
  assert.equal((await answer.fetchReference()).content, "hello");
});

test("edits_previews_and_deletions_are_told", async () => {
  const { messages: [{ id }] } = await control("messages", { channel: "general", user: "ana", content: "one" });
  const edited = next(Events.MessageUpdate, (_, now) => now.id === id && now.content === "two");
  await control("edit", { channel: "general", id, content: "two" });
  const [, now] = await edited;
  assert.ok(now.editedTimestamp > 0);
  const own = await general.send("mine");
  await own.edit("mine, better");
  assert.equal((await general.messages.fetch({ message: own.id, force: true })).content, "mine, better");
  const gone = next(Events.MessageDelete, (message) => message.id === id);
  await control("delete", { channel: "general", ids: [id] });
  await gone;
});

test("reactions_go_both_ways_with_custom_ones", async () => {
  const message = await general.send("react to me");
  const party = client.guilds.cache.first().emojis.cache.find((emoji) => emoji.name === "party");
  await message.react("👍");
  await message.react(party);
  const added = next(Events.MessageReactionAdd, (_, user) => user.username === "ana" || user.id === fake.world.user("ana").id);
  await control("reaction", { channel: "general", id: message.id, user: "ana", emoji: "👍" });
  const [reaction] = await added;
  assert.equal(reaction.emoji.name, "👍");
  const fetched = await general.messages.fetch({ message: message.id, force: true });
  assert.equal(fetched.reactions.cache.get("👍").count, 2);
  await fetched.reactions.cache.get(party.id).users.remove();
  const again = await general.messages.fetch({ message: message.id, force: true });
  assert.equal(again.reactions.cache.has(party.id), false);
});

test("a_file_is_uploaded_and_can_be_fetched", async () => {
  const bytes = Buffer.from("hello file");
  const message = await general.send({ content: "file", files: [{ attachment: bytes, name: "a.txt", description: "text" }] });
  const file = message.attachments.first();
  assert.deepEqual([file.name, file.size, file.description], ["a.txt", 10, "text"]);
  assert.equal(await (await fetch(file.url)).text(), "hello file");
});

test("a_webhook_speaks_under_a_name_of_its_own", async () => {
  const webhook = await general.createWebhook({ name: "Bridge" });
  const message = await webhook.send({ content: "as Alice", username: "Alice", avatarURL: "https://example.org/a.png" });
  assert.deepEqual([message.author.username, message.webhookId], ["Alice", webhook.id]);
  await webhook.editMessage(message.id, { content: "as Alice, edited" });
  assert.equal((await general.messages.fetch({ message: message.id, force: true })).content, "as Alice, edited");
  await webhook.deleteMessage(message.id);
  await assert.rejects(general.messages.fetch({ message: message.id, force: true }), { code: 10008 });
});

test("an_enforced_nonce_gives_the_first_message_again", async () => {
  const first = await general.send({ content: "once", nonce: "n-1", enforceNonce: true });
  const second = await general.send({ content: "once", nonce: "n-1", enforceNonce: true });
  assert.equal(first.id, second.id);
});

test("threads_begin_at_messages_and_have_their_ids", async () => {
  const message = await general.send("root");
  const thread = await message.startThread({ name: "talk" });
  assert.equal(thread.id, message.id);
  assert.equal((await thread.send("inside")).channelId, thread.id);
  const { threads } = await general.threads.fetchActive();
  assert.ok(threads.has(thread.id));
});

test("a_cut_line_is_resumed_and_what_was_missed_is_replayed", async () => {
  const resumed = once(client, Events.ShardResume);
  const heard = next(Events.MessageCreate, (message) => message.content === "missed");
  fake.settings.held = true;
  await control("messages", { channel: "general", user: "ana", content: "missed" });
  fake.settings.held = false;
  await control("gateway", { cut: true });
  const [, replayed] = await resumed;
  assert.ok(replayed >= 1);
  await heard;
  const identifies = (await control("log")).log.filter((entry) => entry.what === "identify").length;
  assert.equal(identifies, 1);
});

test("op_7_is_resumed_and_an_invalid_session_identified_anew", async () => {
  let resumed = once(client, Events.ShardResume);
  await control("gateway", { op: 7 });
  await resumed;
  const identifiedBefore = (await control("log")).log.filter((entry) => entry.what === "identify").length;
  const ready = once(client, Events.ShardReady);
  await control("gateway", { op: 9, d: false });
  await ready;
  const identified = (await control("log")).log.filter((entry) => entry.what === "identify").length;
  assert.equal(identified, identifiedBefore + 1);
});

test("a_429_on_purpose_is_waited_for", async () => {
  await control("faults", { name: "POST /channels/:channel/messages", kind: "ratelimited", retry_after: 0.3 });
  const started = Date.now();
  await general.send("after the wait");
  assert.ok(Date.now() - started >= 250);
});

test("heartbeats_name_the_last_event", async () => {
  await new Promise((resolve) => setTimeout(resolve, 700));
  const beats = (await control("log")).log.filter((entry) => entry.what === "frame" && entry.op === 1);
  assert.ok(beats.length >= 1);
});
