// What a person sees: a page on matrix-js-sdk in headless Chromium, on a server whose owner lives in the fake Slack.
//
// `cargo xtask test --part browser` starts both and sets HOMESERVER_URL, MATRIX_USER, PASSWORD, SLACK_URL, CHROMIUM and
// ARTIFACTS (the folder where the screenshot goes).

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { chromium } from "playwright-core";

import { controlOf } from "../control-client.mjs";
import { eventually as soon, logIn, person, startSync } from "../matrix-people.mjs";

const { HOMESERVER_URL, MATRIX_USER, PASSWORD, SLACK_URL, CHROMIUM, ARTIFACTS } = process.env;
const skip = CHROMIUM && SLACK_URL ? false : "CHROMIUM and SLACK_URL are not set";
const folder = dirname(fileURLToPath(import.meta.url));

const CRYPTO = "@matrix-org/matrix-sdk-crypto-wasm/pkg/matrix_sdk_crypto_wasm_bg.wasm";

/** Serves the page and its bundle on loopback. */
async function servePage() {
  const bundle = await build({
    entryPoints: [join(folder, "page.mjs")],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    define: { global: "globalThis" },
    nodePaths: [process.env.HUBBUB_SUPPORT_MODULES],
    logLevel: "error",
  });
  const files = {
    "/": ["text/html", await readFile(join(folder, "page.html"))],
    "/page.css": ["text/css", await readFile(join(folder, "page.css"))],
    "/page.js": ["text/javascript", bundle.outputFiles[0].contents],
    // Where the bundle looks for it: beside itself.
    "/pkg/matrix_sdk_crypto_wasm_bg.wasm": ["application/wasm", await readFile(join(process.env.HUBBUB_SUPPORT_MODULES, CRYPTO))],
  };
  const server = createServer((request, response) => {
    const [type, body] = files[request.url] ?? ["text/plain", undefined];
    response.writeHead(body ? 200 : 404, { "content-type": type.startsWith("text/") ? `${type}; charset=utf-8` : type });
    response.end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

describe("a browser on the demo", { skip }, () => {
  const slack = controlOf(SLACK_URL);
  const complaints = [];
  let server;
  let browser;
  let page;

  before(async () => {
    server = await servePage();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    page = await browser.newPage({ viewport: { width: 1080, height: 560 } });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
  });

  after(async () => {
    await browser?.close();
    server?.close();
  });

  const named = (name) => page.locator("#rooms button:not(.beside)", { hasText: name });
  const inTimeline = (text) => page.locator("#timeline li", { hasText: text });

  test("a_wrong_password_is_refused_with_a_sentence", async () => {
    await page.fill("[name=homeserver]", HOMESERVER_URL);
    await page.fill("[name=user]", MATRIX_USER);
    await page.fill("[name=password]", "not the password");
    await page.click("#login button");
    await page.waitForFunction(() => document.getElementById("failure").value !== "");
    assert.match(await page.locator("#failure").textContent(), /password/i);
  });

  test("the_owner_logs_in_and_sees_the_workspace_as_a_space_with_its_channels", async () => {
    await page.fill("[name=password]", PASSWORD);
    await page.click("#login button");
    const { team } = await slack("workspace");
    const space = page.locator("#rooms .section", { hasText: team.name });
    await space.locator("button:not(.beside)", { hasText: "general" }).waitFor();
    await space.locator("button:not(.beside)", { hasText: "random" }).waitFor();
  });

  test("a_channel_shows_its_past_with_names_pictures_and_links", async () => {
    await named("general").click();
    await inTimeline("Good morning everyone ☀").first().waitFor();
    const first = inTimeline("the release branch is cut").first();
    await first.waitFor();
    const { people } = await slack("workspace");
    const bjorn = people.find((person) => person.name === "bjorn");
    assert.equal(await first.locator(".sender").textContent(), bjorn.display_name || bjorn.real_name);
    assert.equal(await first.locator("a").getAttribute("href"), "https://example.org/releases/42");
    await page.waitForFunction(() => {
      const pictures = [...document.querySelectorAll("#timeline img.avatar")];
      return pictures.length > 0 && pictures.every((picture) => picture.naturalWidth > 0);
    });
  });

  test("what_somebody_says_in_slack_appears_by_itself", async () => {
    await slack("messages", { channel: "#general", user: "ana", text: "Does *anybody* read this in a browser?" });
    const message = inTimeline("Does anybody read this in a browser?");
    await message.waitFor();
    assert.equal(await message.locator("strong").textContent(), "anybody");
  });

  test("an_answer_from_the_browser_arrives_in_slack_as_the_owner", async () => {
    await page.fill("#composer [name=text]", "Yes, I do.");
    await page.press("#composer [name=text]", "Enter");
    await page.locator("#timeline li.own[data-status=sent]", { hasText: "Yes, I do." }).waitFor();
    const arrived = await eventually(async () => {
      const { messages } = await slack("messages?channel=general");
      return messages.filter((message) => message.text === "Yes, I do.");
    });
    const { app } = await slack("workspace");
    assert.deepEqual(arrived.map((message) => message.user), [app.owner]);
  });

  test("an_encrypted_conversation_is_read_beside_a_bridged_channel", async () => {
    const friend = await logIn(await person(1));
    const owner = await logIn({ user: MATRIX_USER, password: PASSWORD });
    try {
      await friend.initRustCrypto({ useIndexedDB: false });
      await startSync(friend);
      await friend.setDisplayName("Mira");
      const encryption = { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } };
      const created = { name: "Between us", preset: "private_chat", initial_state: [encryption], invite: [owner.getUserId()] };
      const { room_id: roomId } = await friend.createRoom(created);
      await owner.joinRoom(roomId);
      await soon(() => friend.getRoom(roomId)?.getMember(owner.getUserId())?.membership === "join", "the owner in the room");
      const { event_id: eventId } = await friend.sendTextMessage(roomId, "Only you can read this");
      assert.equal((await owner.fetchRoomEvent(roomId, eventId)).type, "m.room.encrypted");

      await named("Between us").click();
      await page.locator("#timeline li[data-encrypted=true]", { hasText: "Only you can read this" }).waitFor();
      await page.locator("#rooms .entry", { hasText: "general" }).locator(".beside").click();
      await page.locator("#beside-timeline li[data-encrypted=false]", { hasText: "Yes, I do." }).waitFor();
      await page.fill("#composer [name=text]", "And only you this");
      await page.press("#composer [name=text]", "Enter");
      const answer = (event) => event.isEncrypted() && event.getContent().body === "And only you this";
      await soon(() => friend.getRoom(roomId).getLiveTimeline().getEvents().some(answer), "the page's answer, decrypted");
    } finally {
      friend.stopClient();
      await owner.logout();
    }
  });

  test("the_page_is_photographed_and_complained_about_nothing", async () => {
    await mkdir(ARTIFACTS, { recursive: true });
    await page.screenshot({ path: join(ARTIFACTS, "browser.png") });
    assert.deepEqual(complaints, []);
  });
});

/** Asks until the answer is not empty. */
async function eventually(ask) {
  for (let attempt = 0; attempt < 100; attempt++) {
    const found = await ask();
    if (found.length > 0) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("it did not arrive in Slack");
}
