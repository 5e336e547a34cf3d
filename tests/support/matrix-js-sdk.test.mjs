// An independent Matrix client, matrix-js-sdk without crypto, against a homeserver: the everyday life of two people.
//
// HOMESERVER_URL=http://127.0.0.1:8787 REGISTER=1 node --test matrix-js-sdk.test.mjs   (Node 22 or newer; see
// `matrix-people.mjs` for accounts that exist). It passes against Synapse, so what fails is the server.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { ClientEvent, MatrixError, Preset, RoomEvent, RoomMemberEvent } from "matrix-js-sdk";

import { bodies, clientFor, eventually, exitSoon, homeserverUrl, logIn, pageToTheStart, person, startSync, until } from "./matrix-people.mjs";

const skip = homeserverUrl ? false : "HOMESERVER_URL is not set";
const MESSAGES = 120;

describe("two people of a homeserver", { skip }, () => {
  const clients = [];
  let writer;
  let reader;
  let roomId;
  let credentials;

  async function newClient(who) {
    const client = await logIn(who);
    clients.push(client);
    return client;
  }

  before(async () => {
    const first = await person(1);
    assert.ok(first, "MATRIX_USER and PASSWORD, or REGISTER=1");
    // Without a second account the reader is another device of the first person.
    const second = (await person(2)) ?? first;
    credentials = { first, second };
    writer = await newClient(first);
    reader = await newClient(second);
  });

  after(() => {
    for (const client of clients) client.stopClient();
    exitSoon();
  });

  const alone = () => writer.getUserId() === reader.getUserId();

  test("login_gives_a_token_that_whoami_knows", async () => {
    const me = await writer.whoami();
    assert.deepEqual([me.user_id, me.device_id], [writer.getUserId(), writer.getDeviceId()]);
    await assert.rejects(logIn({ ...credentials.first, password: "not the password" }), { errcode: "M_FORBIDDEN" });
  });

  test("both_start_and_finish_their_first_sync", async () => {
    await Promise.all([startSync(writer), startSync(reader)]);
  });

  test("a_created_room_reaches_its_creator_and_the_invited_joins", async () => {
    const invite = alone() ? [] : [reader.getUserId()];
    const created = await writer.createRoom({ name: "Test support", topic: "matrix-js-sdk", preset: Preset.PrivateChat, invite });
    roomId = created.room_id;
    await eventually(() => writer.getRoom(roomId)?.name === "Test support", "the room in the creator's sync");
    if (!alone()) {
      await eventually(() => reader.getRoom(roomId)?.getMyMembership() === "invite", "the invitation");
      await reader.joinRoom(roomId);
    }
    await eventually(() => reader.getRoom(roomId)?.getMyMembership() === "join", "the join");
    await eventually(() => reader.getRoom(roomId)?.name === "Test support", "the name for the second person");
  });

  test("a_message_is_received_once_and_its_echo_meets_the_local_event", async () => {
    const heard = until(reader, RoomEvent.Timeline, (event) => event.getContent().body === "hello", "hello");
    const { event_id: eventId } = await writer.sendTextMessage(roomId, "hello");
    const [event] = await heard;
    assert.deepEqual([event.getId(), event.getSender()], [eventId, writer.getUserId()]);
    await eventually(() => bodies(writer, roomId).includes("hello"), "the sender's own message");
    // The echo carries `unsigned.transaction_id`: without it the sender would see the message twice.
    assert.deepEqual(bodies(writer, roomId), ["hello"]);
    assert.deepEqual(bodies(reader, roomId), ["hello"]);
  });

  test("a_repeated_transaction_id_sends_nothing_new", async () => {
    const send = () => writer.sendEvent(roomId, "m.room.message", { msgtype: "m.text", body: "once" }, "txn-once");
    const first = await send();
    const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/txn-once`;
    const again = await writer.http.authedRequest("PUT", path, undefined, { msgtype: "m.text", body: "once" });
    assert.equal(again.event_id, first.event_id);
    await eventually(() => bodies(reader, roomId).includes("once"), "once");
    assert.deepEqual(bodies(reader, roomId), ["hello", "once"]);
  });

  test("a_redacted_message_is_redacted_for_the_other", async () => {
    const { event_id: eventId } = await writer.sendTextMessage(roomId, "a mistake");
    await eventually(() => bodies(reader, roomId).includes("a mistake"), "the mistake");
    const redacted = until(reader, RoomEvent.Redaction, (event) => event.getAssociatedId() === eventId, "the redaction");
    await writer.redactEvent(roomId, eventId);
    await redacted;
    const event = reader.getRoom(roomId).findEventById(eventId);
    assert.deepEqual([event.isRedacted(), event.getContent().body], [true, undefined]);
  });

  test("typing_is_seen_and_ends", async () => {
    if (alone()) return;
    const member = (typing) => (_, who) => who.userId === reader.getUserId() && who.typing === typing;
    const starts = until(writer, RoomMemberEvent.Typing, member(true), "typing");
    await reader.sendTyping(roomId, true, 10_000);
    await starts;
    const ends = until(writer, RoomMemberEvent.Typing, member(false), "the end of typing");
    await reader.sendTyping(roomId, false, 0);
    await ends;
  });

  test("a_read_receipt_tells_the_sender_and_clears_the_unread_count", async () => {
    const { event_id: eventId } = await writer.sendTextMessage(roomId, "read me");
    const event = await eventually(() => reader.getRoom(roomId).findEventById(eventId), "the message to read");
    if (!alone()) await eventually(() => reader.getRoom(roomId).getUnreadNotificationCount() > 0, "an unread count");
    await reader.sendReadReceipt(event);
    await eventually(() => writer.getRoom(roomId).getEventReadUpTo(reader.getUserId()) === eventId, "the receipt");
    await eventually(() => reader.getRoom(roomId).getUnreadNotificationCount() === 0, "no unread message");
  });

  test("a_new_display_name_reaches_the_room_and_the_profile", async () => {
    const name = `Reader ${Date.now() % 10_000}`;
    await reader.setDisplayName(name);
    await eventually(() => writer.getRoom(roomId).getMember(reader.getUserId())?.name.startsWith(name), "the new name");
    assert.equal((await writer.getProfileInfo(reader.getUserId())).displayname, name);
  });

  test("a_hundred_and_twenty_messages_are_paged_back_without_gap_or_duplicate", async () => {
    const sent = Array.from({ length: MESSAGES }, (_, index) => `message ${index + 1}`);
    for (const body of sent) await writer.sendTextMessage(roomId, body);

    const latecomer = await newClient(credentials.second);
    await startSync(latecomer, { initialSyncLimit: 10 });
    await pageToTheStart(latecomer, roomId);
    assert.deepEqual(bodies(latecomer, roomId).filter((body) => body?.startsWith("message ")), sent);
    const ids = latecomer.getRoom(roomId).getLiveTimeline().getEvents().map((event) => event.getId());
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(latecomer.getRoom(roomId).getLiveTimeline().getEvents()[0].getType(), "m.room.create");
  });

  test("a_client_that_synced_through_it_holds_all_of_them_live", async () => {
    await eventually(() => bodies(reader, roomId).includes(`message ${MESSAGES}`), "the last message");
    const held = bodies(reader, roomId).filter((body) => body?.startsWith("message "));
    assert.equal(new Set(held).size, held.length);
    assert.deepEqual(held, Array.from({ length: held.length }, (_, index) => `message ${MESSAGES - held.length + index + 1}`));
  });

  test("a_client_that_was_away_gets_a_limited_timeline_and_pages_to_where_it_was", async () => {
    const sleeper = await newClient(credentials.second);
    await startSync(sleeper);
    const filter = sleeper.getRoom(roomId).getLiveTimeline().getEvents().at(-1).getId();
    sleeper.stopClient();
    const sent = Array.from({ length: 40 }, (_, index) => `while away ${index + 1}`);
    for (const body of sent) await writer.sendTextMessage(roomId, body);

    const back = clientFor({ userId: sleeper.getUserId(), accessToken: sleeper.getAccessToken(), deviceId: sleeper.getDeviceId() });
    clients.push(back);
    await startSync(back, { initialSyncLimit: 5 });
    await pageToTheStart(back, roomId, 15);
    assert.deepEqual(bodies(back, roomId).filter((body) => body?.startsWith("while away ")), sent);
    assert.ok(back.getRoom(roomId).findEventById(filter));
  });

  test("leaving_is_seen_by_the_other", async () => {
    if (alone()) return;
    await reader.leave(roomId);
    await eventually(() => writer.getRoom(roomId).getMember(reader.getUserId())?.membership === "leave", "the leave");
    await eventually(() => reader.getRoom(roomId)?.getMyMembership() === "leave", "the own leave");
  });

  test("after_logout_the_token_is_refused", async () => {
    const { userId, accessToken, deviceId } = { userId: reader.getUserId(), accessToken: reader.getAccessToken(), deviceId: reader.getDeviceId() };
    const ended = until(writer, ClientEvent.Sync, () => true, "a sync of the other");
    await reader.logout(true);
    await assert.rejects(clientFor({ userId, accessToken, deviceId }).whoami(), (error) => {
      assert.ok(error instanceof MatrixError);
      assert.deepEqual([error.errcode, error.httpStatus], ["M_UNKNOWN_TOKEN", 401]);
      return true;
    });
    await writer.sendTextMessage(roomId, "still here");
    await ended;
  });
});
