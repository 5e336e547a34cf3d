// Two people on a homeserver, through matrix-js-sdk, for the tests with that SDK and the round trips.
//
// HOMESERVER_URL names the server. Either REGISTER=1 makes fresh accounts (REGISTRATION_TOKEN where one is asked for),
// or MATRIX_USER and PASSWORD (and MATRIX_USER2, PASSWORD2 for the second person) name existing ones; `USER` is read
// where MATRIX_USER is absent.

import { randomBytes } from "node:crypto";

import { ClientEvent, createClient, EventStatus, SyncState } from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";

// The SDK's own logger speaks through the console; its children take this from it.
logger.methodFactory = () => () => {};
logger.rebuild();

const QUIET = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, getChild: () => QUIET };
const STEP_MS = 20_000;

export const homeserverUrl = process.env.HOMESERVER_URL;

/** Logs the person in on a new device; resolves to a client that does not sync yet. `options` are the SDK's own. */
export async function logIn({ user, password }, options = {}) {
  const stranger = createClient({ baseUrl: homeserverUrl, logger: QUIET });
  const login = await stranger.loginRequest({
    type: "m.login.password",
    identifier: { type: "m.id.user", user },
    password,
    initial_device_display_name: "hubbub test support",
  });
  return clientFor({ userId: login.user_id, accessToken: login.access_token, deviceId: login.device_id }, options);
}

export function clientFor({ userId, accessToken, deviceId, baseUrl = homeserverUrl }, options = {}) {
  return createClient({ baseUrl, userId, accessToken, deviceId, logger: QUIET, timelineSupport: true, ...options });
}

/** The credentials of the first or second person. */
export async function person(which) {
  const suffix = which === 1 ? "" : "2";
  if (process.env.REGISTER === "1") return register(`sdk${which}${randomBytes(4).toString("hex")}`);
  const user = process.env[`MATRIX_USER${suffix}`] ?? process.env[`USER${suffix}`];
  const password = process.env[`PASSWORD${suffix}`];
  return user && password ? { user, password } : null;
}

async function register(user) {
  const password = randomBytes(12).toString("hex");
  const client = createClient({ baseUrl: homeserverUrl, logger: QUIET });
  const data = { username: user, password, inhibit_login: true };
  try {
    await client.registerRequest(data);
  } catch (error) {
    if (error.httpStatus !== 401) throw error;
    const { session, flows } = error.data;
    const stages = flows.flatMap((flow) => flow.stages);
    const auth = stages.includes("m.login.registration_token")
      ? { type: "m.login.registration_token", token: process.env.REGISTRATION_TOKEN, session }
      : { type: "m.login.dummy", session };
    await client.registerRequest({ ...data, auth });
  }
  return { user, password };
}

/** Starts syncing and resolves once the first sync is in. */
export async function startSync(client, options = {}) {
  const prepared = until(client, ClientEvent.Sync, (state) => state === SyncState.Prepared, "first sync");
  await client.startClient({ initialSyncLimit: 20, lazyLoadMembers: true, disablePresence: true, ...options });
  await prepared;
}

/** Resolves to the arguments of the first `event` that satisfies `accept`. */
export function until(emitter, event, accept, what) {
  return new Promise((resolve, reject) => {
    const listener = (...args) => {
      if (!accept(...args)) return;
      stop();
      resolve(args);
    };
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`nothing came: ${what}`));
    }, STEP_MS);
    const stop = () => {
      clearTimeout(timer);
      emitter.off(event, listener);
    };
    emitter.on(event, listener);
  });
}

/** Resolves once `check` returns something truthy, asking again and again. */
export async function eventually(check, what, timeoutMs = STEP_MS) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`it never was: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The bodies of the text messages that a client holds of a room, oldest first, local echoes excluded. */
export function bodies(client, roomId) {
  const events = client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
  return events
    .filter((event) => event.getType() === "m.room.message" && (event.status === null || event.status === EventStatus.SENT))
    .map((event) => event.getContent().body);
}

/** Pages back to the beginning of a room. */
export async function pageToTheStart(client, roomId, limit = 30) {
  const room = client.getRoom(roomId);
  while (room.oldState.paginationToken !== null) await client.scrollback(room, limit);
}

/**
 * Ends the process a moment after the last test: the SDK leaves a timer of nearly two minutes behind each request
 * that was waiting when its client stopped. The exit code stays what the test runner made it.
 */
export function exitSoon() {
  setTimeout(() => process.exit(), 500).unref();
}
