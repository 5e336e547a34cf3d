// An independent Matrix client that encrypts, matrix-js-sdk on its Rust crypto, against a homeserver: two people verify
// each other, talk, and get a lost device's messages back.
//
// HOMESERVER_URL=http://127.0.0.1:8787 REGISTER=1 node --test matrix-js-sdk-crypto.test.mjs   (Node 22 or newer). It
// passes against Synapse, so what fails is the server. The page in `browser/` shows the same in Chromium.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Attachment, EncryptedAttachment } from "@matrix-org/matrix-sdk-crypto-wasm";
import { ClientPrefix, MatrixError, Preset } from "matrix-js-sdk";
import { CryptoEvent, VerificationPhase, VerificationRequestEvent, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js";

import { bodies, eventually, exitSoon, homeserverUrl, logIn, person, startSync, until } from "./matrix-people.mjs";

const skip = homeserverUrl ? false : "HOMESERVER_URL is not set";
const ENCRYPTION = { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } };

describe("two people who encrypt", { skip }, () => {
  const clients = [];
  let credentials;
  let robin;
  let ana;
  let roomId;
  /** What a person keeps on paper: the key of their secret storage, by user. */
  const papers = new Map();

  /** A new device of a person, which encrypts from its first sync on. */
  async function newDevice(who) {
    let client;
    const cryptoCallbacks = {
      getSecretStorageKey: async ({ keys }) => {
        const paper = papers.get(client.getUserId());
        return paper && keys[paper.keyId] ? [paper.keyId, paper.key] : null;
      },
      cacheSecretStorageKey: (keyId, _, key) => papers.set(client.getUserId(), { keyId, key }),
    };
    client = await logIn(who, { cryptoCallbacks, verificationMethods: ["m.sas.v1"] });
    clients.push(client);
    await client.initRustCrypto({ useIndexedDB: false });
    await startSync(client, { lazyLoadMembers: false });
    return client;
  }

  /** Gives a new device its person's cross-signing keys, from secret storage. */
  async function takeIdentity(client) {
    const crypto = client.getCrypto();
    assert.equal(await crypto.userHasCrossSigningKeys(client.getUserId(), true), true);
    await crypto.bootstrapCrossSigning({});
  }

  /** Answers the server where it asks for the password. */
  const withPassword = ({ user, password }) => async (request) => {
    try {
      return await request(null);
    } catch (error) {
      if (error.httpStatus !== 401 || !error.data?.session) throw error;
      const identifier = { type: "m.id.user", user };
      return request({ type: "m.login.password", identifier, password, session: error.data.session });
    }
  };

  before(async () => {
    credentials = { robin: await person(1), ana: await person(2) };
    assert.ok(credentials.robin && credentials.ana, "two accounts, or REGISTER=1");
    robin = await newDevice(credentials.robin);
    ana = await newDevice(credentials.ana);
  });

  after(() => {
    for (const client of clients) client.stopClient();
    exitSoon();
  });

  test("the_first_cross_signing_keys_are_set_up_without_a_password", async () => {
    for (const client of [robin, ana]) {
      const crypto = client.getCrypto();
      assert.equal(await crypto.userHasCrossSigningKeys(client.getUserId(), true), false);
      await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (request) => request(null) });
      assert.equal(await crypto.userHasCrossSigningKeys(client.getUserId(), true), true);
      const status = await crypto.getDeviceVerificationStatus(client.getUserId(), client.getDeviceId());
      assert.equal(status.crossSigningVerified, true);
    }
  });

  test("secret_storage_and_key_backup_are_set_up", async () => {
    const crypto = robin.getCrypto();
    const key = await crypto.createRecoveryKeyFromPassphrase();
    await crypto.bootstrapSecretStorage({ createSecretStorageKey: async () => key, setupNewSecretStorage: true, setupNewKeyBackup: true });
    await eventually(() => crypto.isSecretStorageReady(), "secret storage");
    await eventually(() => crypto.isCrossSigningReady(), "cross-signing, with its keys in secret storage");
    await eventually(() => crypto.getActiveSessionBackupVersion(), "an active backup");
    assert.equal((await crypto.isKeyBackupTrusted(await crypto.getKeyBackupInfo())).trusted, true);
  });

  test("an_encrypted_message_is_read_by_the_other_and_is_opaque_to_the_server", async () => {
    const created = await robin.createRoom({ preset: Preset.PrivateChat, initial_state: [ENCRYPTION], invite: [ana.getUserId()] });
    roomId = created.room_id;
    await eventually(() => ana.getRoom(roomId)?.getMyMembership() === "invite", "the invitation");
    await ana.joinRoom(roomId);
    await eventually(() => robin.getRoom(roomId)?.getMember(ana.getUserId())?.membership === "join", "the join");
    await eventually(() => ana.getCrypto().isEncryptionEnabledInRoom(roomId), "encryption");
    const { event_id: eventId } = await robin.sendTextMessage(roomId, "nobody between us reads this");
    await eventually(() => bodies(ana, roomId).includes("nobody between us reads this"), "the decrypted message");
    const raw = await ana.fetchRoomEvent(roomId, eventId);
    assert.equal(raw.type, "m.room.encrypted");
    assert.doesNotMatch(JSON.stringify(raw), /nobody between us/);
    await ana.sendTextMessage(roomId, "nor this");
    await eventually(() => bodies(robin, roomId).includes("nor this"), "the answer");
  });

  /** Compares the emoji of both ends of a verification, as two people do, and confirms. */
  async function compareEmoji(asking, answering) {
    const phase = (request, wanted) =>
      new Promise((resolve) => {
        const look = () => request.phase >= wanted && (request.off(VerificationRequestEvent.Change, look), resolve());
        request.on(VerificationRequestEvent.Change, look);
        look();
      });
    await answering.accept();
    await phase(asking, VerificationPhase.Ready);
    const verifier = await asking.startVerification("m.sas.v1");
    await phase(answering, VerificationPhase.Started);
    const sides = [verifier, answering.verifier].map((side) => {
      const shown = side.getShowSasCallbacks() ?? until(side, VerifierEvent.ShowSas, () => true, "the emoji").then(([sas]) => sas);
      return { shown, done: side.verify() };
    });
    const [mine, theirs] = await Promise.all(sides.map((side) => side.shown));
    assert.deepEqual(mine.sas.emoji, theirs.sas.emoji);
    await Promise.all([mine.confirm(), theirs.confirm()]);
    await Promise.all(sides.map((side) => side.done));
    await phase(asking, VerificationPhase.Done);
    await phase(answering, VerificationPhase.Done);
  }

  test("two_people_verify_each_other_by_emoji", async () => {
    const asked = until(ana, CryptoEvent.VerificationRequestReceived, () => true, "the verification request");
    const asking = await robin.getCrypto().requestVerificationDM(ana.getUserId(), roomId);
    const [answering] = await asked;
    await compareEmoji(asking, answering);
    for (const [client, other] of [[robin, ana], [ana, robin]]) {
      const verified = async () => (await client.getCrypto().getUserVerificationStatus(other.getUserId())).isCrossSigningVerified();
      await eventually(verified, "the other is verified");
    }
  });

  test("an_encrypted_attachment_is_downloaded_and_decrypted_by_the_other", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(40_000));
    const sealed = Attachment.encrypt(bytes);
    const file = JSON.parse(sealed.mediaEncryptionInfo);
    const { content_uri: url } = await robin.uploadContent(new Blob([sealed.encryptedData]), { type: "application/octet-stream", includeFilename: false });
    await robin.sendMessage(roomId, { msgtype: "m.file", body: "secret.bin", file: { ...file, url }, info: { size: bytes.length } });
    const arrived = () => ana.getRoom(roomId).getLiveTimeline().getEvents().find((event) => event.getContent().body === "secret.bin");
    const { file: received } = (await eventually(arrived, "the attachment")).getContent();
    const address = ana.mxcUrlToHttp(received.url, undefined, undefined, undefined, false, true, true);
    const answer = await fetch(address, { headers: { authorization: `Bearer ${ana.getAccessToken()}` } });
    const downloaded = new Uint8Array(await answer.arrayBuffer());
    assert.notDeepEqual(downloaded, bytes);
    const { url: _, ...info } = received;
    assert.deepEqual(Attachment.decrypt(new EncryptedAttachment(downloaded, JSON.stringify(info))), bytes);
  });

  test("a_third_device_is_trusted_by_the_recovery_key_and_restores_from_the_backup", async () => {
    // The SDK's own answer is one that it keeps.
    const version = () => robin.http.authedRequest("GET", "/room_keys/version", undefined, undefined, { prefix: ClientPrefix.V3 });
    await eventually(async () => (await version()).count >= 2, "the sessions of both in the backup");
    const third = await newDevice(credentials.robin);
    const keys = third.getCrypto();
    const held = () => third.getRoom(roomId)?.getLiveTimeline().getEvents().filter((event) => event.isEncrypted()) ?? [];
    await eventually(() => held().some((event) => event.isDecryptionFailure()), "messages from before the device");
    await takeIdentity(third);
    // The device learns of its own signature as everybody does: by a sync that says that the list changed.
    const own = async () => (await keys.getDeviceVerificationStatus(third.getUserId(), third.getDeviceId())).crossSigningVerified;
    await eventually(own, "the third device is signed");
    await keys.loadSessionBackupPrivateKeyFromSecretStorage();
    await keys.checkKeyBackupAndEnable();
    const restored = await keys.restoreKeyBackup();
    assert.ok(restored.imported > 0, "nothing was restored");
    await eventually(() => bodies(third, roomId).includes("nobody between us reads this"), "the old message");
    await ana.sendTextMessage(roomId, "welcome, third device");
    await eventually(() => bodies(third, roomId).includes("welcome, third device"), "a message for three devices");
    // The others hear of the device and of its signature.
    const trusted = async () => (await ana.getCrypto().getDeviceVerificationStatus(third.getUserId(), third.getDeviceId()))?.crossSigningVerified;
    await eventually(trusted, "the third device is trusted by the other person");
  });

  test("a_message_for_a_person_who_is_away_waits_in_the_dehydrated_device", async (context) => {
    const crypto = robin.getCrypto();
    const supported = await crypto.isDehydrationSupported();
    // Synapse has to be asked for it by its configuration; ours always has it.
    if (!supported && !process.env.HUBBUB_URL) return context.skip("the server has no dehydrated devices");
    assert.equal(supported, true);
    await crypto.startDehydration({ createNewKey: true });
    const prefix = "/_matrix/client/unstable/org.matrix.msc3814.v1";
    const { device_id: sleeping } = await robin.http.authedRequest("GET", "/dehydrated_device", undefined, undefined, { prefix });
    const known = async () => (await ana.getCrypto().getUserDeviceInfo([robin.getUserId()])).get(robin.getUserId())?.has(sleeping);
    await eventually(known, "the sleeping device among the other's devices");
    await ana.getCrypto().forceDiscardSession(roomId);
    await ana.sendTextMessage(roomId, "sleep well");
    await eventually(() => bodies(robin, roomId).includes("sleep well"), "the message");
    const fourth = await newDevice(credentials.robin);
    await takeIdentity(fourth);
    const rehydrated = until(fourth, CryptoEvent.RehydrationCompleted, () => true, "the rehydration");
    await fourth.getCrypto().startDehydration({ rehydrate: true });
    await rehydrated;
    await eventually(() => bodies(fourth, roomId).includes("sleep well"), "what the sleeping device received");
  });

  test("new_cross_signing_keys_in_place_of_old_ones_ask_for_the_password", async () => {
    const crypto = ana.getCrypto();
    const before = await crypto.getCrossSigningKeyId();
    const refusing = { setupNewCrossSigning: true, authUploadDeviceSigningKeys: (request) => request(null) };
    await assert.rejects(crypto.bootstrapCrossSigning(refusing), { httpStatus: 401 });
    await crypto.bootstrapCrossSigning({ setupNewCrossSigning: true, authUploadDeviceSigningKeys: withPassword(credentials.ana) });
    assert.notEqual(await crypto.getCrossSigningKeyId(), before);
    const noticed = async () => {
      const status = await robin.getCrypto().getUserVerificationStatus(ana.getUserId());
      return status.wasCrossSigningVerified() && !status.isCrossSigningVerified();
    };
    await eventually(noticed, "the other notices that the identity changed");
  });

  test("a_device_that_logs_out_has_no_keys_any_more", async () => {
    const device = ana.getDeviceId();
    await eventually(async () => (await robin.getCrypto().getUserDeviceInfo([ana.getUserId()])).get(ana.getUserId())?.has(device), "the device");
    await ana.logout(true);
    await assert.rejects(ana.whoami(), (error) => error instanceof MatrixError && error.errcode === "M_UNKNOWN_TOKEN");
    const gone = async () => !(await robin.getCrypto().getUserDeviceInfo([ana.getUserId()])).get(ana.getUserId())?.has(device);
    await eventually(gone, "the device is gone for the other");
  });
});
