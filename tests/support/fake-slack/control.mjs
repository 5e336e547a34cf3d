// `/_control/`: the strings by which tests and the launcher move the fake. JSON in, JSON out; see the README.
//
// Messages are in `control-messages.mjs`; here are subscription, people, conversations, tokens, faults and reports.

import { ControlError, lookups } from "./control-lookups.mjs";
import { controlMessages } from "./control-messages.mjs";
import { envelope, signature } from "./envelope.mjs";
import { readBody } from "./http-body.mjs";
import { conversationObject } from "./methods/conversations.mjs";
import { userObject } from "./methods/users.mjs";
import { subscribe } from "./subscription.mjs";
import { nowSeconds } from "./timestamps.mjs";
import { restoreToken, revokeToken } from "./tokens.mjs";

const BODY_LIMIT = 32 * 1024 * 1024;

/** Answers one control request. */
export async function handleControl(world, request, response, url) {
  const route = `${request.method} ${url.pathname.slice("/_control/".length)}`;
  const body = request.method === "POST" ? await readBody(request, BODY_LIMIT) : "";
  try {
    if (!Object.hasOwn(ROUTES, route)) throw new ControlError(`no such control call: ${route}`, 404);
    const input = body ? JSON.parse(body) : Object.fromEntries(url.searchParams);
    answer(response, 200, { ok: true, ...(await ROUTES[route](world, input)) });
  } catch (error) {
    answer(response, error.status ?? 400, { ok: false, error: error.message });
  }
}

function answer(response, status, body) {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  response.end(JSON.stringify(body));
}

const ROUTES = {
  ...controlMessages,

  "GET workspace": (world) => {
    const { workspace } = world;
    const apps = [...workspace.apps.values()].map((app) => ({ ...app, token: workspace.liveToken(app) }));
    const channels = [...workspace.channels.values()].map(({ byTs, entries, lastMicros, ...channel }) => ({
      ...channel,
      messages: entries.length,
    }));
    return { team: workspace.team, seed: workspace.seed, app: apps[0], apps, people: [...workspace.people.values()], channels };
  },

  "POST subscription": async (world, { app, url, force }) => {
    const target = lookups.app(world, app);
    if (!url) {
      Object.assign(target, { subscription: null, subscription_verified: false });
      world.workspace.changed();
      return {};
    }
    return { subscription: await subscribe(world, target, url, { force }) };
  },

  "POST people": (world, input) => {
    const person = world.workspace.addPerson(input);
    return { person };
  },

  "POST people/update": (world, { user, ...change }) => {
    const person = lookups.person(world, user);
    for (const key of ["name", "real_name", "display_name", "deleted"]) if (change[key] !== undefined) person[key] = change[key];
    person.updated = nowSeconds();
    world.workspace.changed();
    const shown = userObject(world.workspace, person);
    send(world, world.posting.announce(null, { type: "user_change", user: shown, cache_ts: nowSeconds(), event_ts: `${nowSeconds()}.000100` }));
    return { person };
  },

  "POST channels": (world, { members = [], ...input }) => {
    const ids = members.map((member) => lookups.person(world, member).id);
    return { channel: summary(world.workspace.addChannel({ ...input, members: ids })) };
  },

  "POST channels/update": (world, input) => updateChannel(world, lookups.channel(world, input.channel), input),

  "POST apps": (world, { owner, name }) => {
    const app = world.workspace.addApp({ owner: lookups.person(world, owner).id, name });
    return { app: { ...app, token: world.workspace.liveToken(app) } };
  },

  "POST token/revoke": (world, { app, token, as = "token_revoked", event = true }) => {
    const live = token ?? world.workspace.liveToken(lookups.app(world, app));
    const record = world.workspace.tokens.get(live);
    if (!record) throw new ControlError("no such token");
    revokeToken(world, record, { state: as, announce: event });
    return {};
  },

  "POST token/restore": (world, { app, token }) => ({ token: restoreToken(world, lookups.app(world, app), token) }),

  "POST event": (world, { app, event, event_id: eventId, twice }) => {
    const one = envelope(world.workspace, lookups.app(world, app), event, eventId);
    send(world, twice ? [one, one] : [one]);
    return { event_id: one.event_id };
  },

  /** Sends any bytes to the subscription, signed well or badly, and tells what came back. */
  "POST raw": async (world, { app, body, age = 0, signature: kind = "good", headers = {}, timeout_ms: timeout = 3000 }) => {
    const target = lookups.app(world, app);
    const timestamp = nowSeconds() - age;
    const secret = kind === "bad" ? `${target.signing_secret}x` : target.signing_secret;
    const signed = { "x-slack-request-timestamp": String(timestamp), "x-slack-signature": signature(secret, timestamp, body) };
    const all = { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...(kind === "none" ? {} : signed), ...headers };
    const { status, text, failure, ms } = await world.deliveries.sender.post(target.subscription, all, body, timeout);
    return { status, text, failure, ms };
  },

  "POST faults": (world, { method = "chat.postMessage", clear, ...rule }) => {
    if (clear) world.faults.clear();
    else world.faults.set(method, rule);
    return world.faults.report();
  },
  "GET faults": (world) => world.faults.report(),

  "POST settings": (world, input) => changeSettings(world, input),

  "POST hold": (world, { held = true }) => {
    world.deliveries.hold(held);
    return { held };
  },

  "POST redeliver": (world) => ({ redelivered: world.deliveries.redeliver() }),

  "POST wait": async (world, { timeout_ms: timeout = 30_000 }) => ({
    settled: await world.deliveries.settled(Number(timeout)),
    stats: world.deliveries.report(),
  }),

  "GET stats": (world) => ({ deliveries: world.deliveries.report(), faults: world.faults.report(), calls: countCalls(world) }),

  "POST stats/reset": (world) => {
    world.deliveries.resetStats();
    world.webApi.calls.length = 0;
    world.faults.counts = {};
    return {};
  },

  "GET calls": (world, { method, since = 0, limit = 1000 }) => {
    const calls = world.webApi.calls.filter((call) => (!method || call.method === method) && call.at >= Number(since));
    return { total: calls.length, calls: calls.slice(-Number(limit)) };
  },

  "GET deliveries": (world, { state, limit = 1000 }) => {
    const found = world.deliveries.log.filter((delivery) => !state || delivery.state === state);
    const shown = found.slice(-Number(limit)).map(({ settle, body, ...delivery }) => delivery);
    return { total: found.length, deliveries: shown };
  },

  "POST demo": (world, { running = true }) => {
    world.demo.run(running);
    return { running };
  },
};

function send(world, outgoing) {
  for (const one of outgoing) world.deliveries.submit(one);
}

function summary({ byTs, entries, lastMicros, ...channel }) {
  return { ...channel, messages: entries.length };
}

const SETTINGS = {
  largest_file: "largestFile",
  post_rate: "postRate",
  post_burst: "postBurst",
  echo_metadata: "echoMetadata",
  ragged_pages: "raggedPages",
  edit_window_closed: "editWindowClosed",
};
const DELIVERY_SETTINGS = {
  retry_delays: "retryDelays",
  retry_forever: "retryForever",
  ack_timeout: "ackTimeout",
  parallel: "parallel",
  duplicate: "duplicate",
};

function changeSettings(world, input) {
  for (const [key, value] of Object.entries(input)) {
    if (key in SETTINGS) world.settings[SETTINGS[key]] = value;
    else if (key in DELIVERY_SETTINGS) world.deliveries.settings[DELIVERY_SETTINGS[key]] = value;
    else throw new ControlError(`no such setting: ${key}`);
  }
  if ("post_rate" in input && !("post_burst" in input)) world.settings.postBurst = Math.max(1, Math.ceil(input.post_rate));
  return { settings: { ...world.settings, ...world.deliveries.settings } };
}

function countCalls(world) {
  const counts = {};
  for (const { method, outcome } of world.webApi.calls) {
    counts[method] ??= {};
    counts[method][outcome] = (counts[method][outcome] ?? 0) + 1;
  }
  return counts;
}

/** Renames, archives, retopics, joins and leaves, each with the event that Slack sends; an untold archiving has none. */
function updateChannel(world, channel, { name, archived, untold = false, topic, join = [], leave = [], user }) {
  const { posting, workspace } = world;
  const by = user ? lookups.person(world, user).id : channel.members[0];
  const eventTs = () => workspace.nextTs(channel);
  const group = channel.kind === "private" ? "group" : "channel";
  if (name !== undefined && name !== channel.name) {
    channel.previous_names = [channel.name, ...(channel.previous_names ?? [])];
    channel.name = name;
    const renamed = { id: channel.id, name, name_normalized: name, created: channel.created };
    send(world, posting.announce(channel, { type: `${group}_rename`, channel: renamed, event_ts: eventTs() }));
  }
  if (archived !== undefined && archived !== channel.is_archived) {
    channel.is_archived = archived;
    const type = `${group}_${archived ? "archive" : "unarchive"}`;
    if (!untold) send(world, posting.announce(channel, { type, channel: channel.id, user: by, event_ts: eventTs() }));
  }
  if (topic !== undefined) {
    channel.topic = { value: topic, creator: by, last_set: nowSeconds() };
    const draft = { user: by, subtype: "channel_topic", text: `set the channel topic: ${topic}`, blocks: false, extra: { topic } };
    send(world, posting.post(channel, draft).outgoing);
  }
  for (const one of join) memberChange(world, channel, lookups.person(world, one).id, "joined");
  for (const one of leave) memberChange(world, channel, lookups.person(world, one).id, "left");
  workspace.changed();
  return { channel: summary(channel), object: conversationObject({ workspace, app: [...workspace.apps.values()][0] }, channel) };
}

function memberChange(world, channel, user, change) {
  const event = {
    type: `member_${change}_channel`,
    user,
    channel: channel.id,
    channel_type: channel.kind === "private" ? "G" : "C",
    team: world.workspace.team.id,
    event_ts: world.workspace.nextTs(channel),
  };
  if (change === "joined" && !channel.members.includes(user)) channel.members.push(user);
  const outgoing = world.posting.announce(channel, event);
  if (change === "left") channel.members = channel.members.filter((member) => member !== user);
  send(world, outgoing);
}
