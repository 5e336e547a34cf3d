// The control calls about messages: what people write, singly and in batches, and what the channels hold.

import { ControlError, lookups } from "./control-lookups.mjs";
import { addFile, digest, pattern, postFile, removeFile, sharesOf } from "./files.mjs";
import { envelope } from "./envelope.mjs";
import { pause, settlesWithin } from "./timestamps.mjs";

export const controlMessages = {
  /**
   * Posts `messages` (or the one message given by the body's own fields) as people. Options, for all or on a single
   * message: `deliver: false`, `twice`. For the batch: `shuffle`, `group` (webhooks of one group are out before the
   * next is written), `parallel`, `wait`, `timeout_ms`.
   */
  "POST messages": async (world, input) => {
    const { messages = [input], group = messages.length, wait = false, timeout_ms: timeout = 60_000 } = input;
    const started = performance.now();
    const posted = [];
    const sent = [];
    for (let at = 0; at < messages.length; at += group) {
      const units = [];
      for (const message of messages.slice(at, at + group)) {
        const { entry, channel, outgoing } = write(world, message, message.deliver ?? input.deliver);
        posted.push({ channel: channel.id, ts: entry.message.ts, event_ids: entry.event_ids, client_msg_id: entry.message.client_msg_id });
        units.push(...unitsOf(outgoing, { ...input, ...message }));
      }
      const done = dispatch(world, input.shuffle ? world.workspace.random.shuffle.shuffled(units) : units, input.parallel);
      sent.push(done);
      // Only the last group may be left to itself: the next is written when this one is settled.
      if (wait || at + group < messages.length) {
        if (!(await settlesWithin(done, Number(timeout)))) throw new ControlError("the deliveries did not settle in time", 504);
      }
    }
    const states = wait ? tally((await Promise.all(sent)).flat()) : undefined;
    return { messages: posted, states, ms: Math.round(performance.now() - started) };
  },

  /** Sends the webhooks of messages that were stored with `deliver: false`, or again of any. */
  "POST deliver": (world, { channel: name, ts, ...options }) => {
    const channel = lookups.channel(world, name);
    const chosen = ts === undefined ? channel.entries.filter((entry) => entry.undelivered) : [ts].flat().map((one) => lookups.entry(world, channel, one));
    const units = chosen.flatMap((entry) => {
      entry.undelivered = false;
      return unitsOf(again(world, channel, entry), options);
    });
    dispatch(world, options.shuffle ? world.workspace.random.shuffle.shuffled(units) : units, options.parallel);
    return { delivered: chosen.length };
  },

  "POST edit": (world, { channel: name, ts, text, blocks, deliver = true }) => {
    const channel = lookups.channel(world, name);
    return sendUnless(world, deliver, world.posting.edit(channel, lookups.entry(world, channel, ts), { text, blocks }));
  },

  "POST unfurl": (world, { channel: name, ts, attachment = { title: "A page", from_url: "https://example.org/" } }) => {
    const channel = lookups.channel(world, name);
    return sendUnless(world, true, world.posting.unfurl(channel, lookups.entry(world, channel, ts), attachment));
  },

  "POST delete": (world, { channel: name, ts, deliver = true }) => {
    const channel = lookups.channel(world, name);
    return sendUnless(world, deliver, world.posting.remove(channel, lookups.entry(world, channel, ts)));
  },

  "POST reaction": (world, { channel: where, ts, user, name, removed = false }) => {
    const channel = lookups.channel(world, where);
    const change = { user: lookups.person(world, user).id, name, removed };
    const outgoing = world.posting.react(channel, lookups.entry(world, channel, ts), change);
    if (!outgoing) throw new ControlError("nothing to change");
    return sendUnless(world, true, outgoing);
  },

  /**
   * Somebody posts a file: `base64`, or `size` bytes that can be told apart. The first `not_ready` downloads get a page
   * with a login form; `more` are raw fields of the file object.
   */
  "POST file": (world, { channel: name = "general", user = "owner", text, thread_ts, base64, size = 0, deliver = true, ...file }) => {
    const channel = lookups.channel(world, name);
    const bytes = base64 === undefined ? pattern(Number(size)) : Buffer.from(base64, "base64");
    const made = addFile(world.workspace, { name: "file.bin", ...file, bytes, user: lookups.person(world, user).id });
    const { entry, outgoing } = postFile(world, channel, made, { text, thread_ts });
    return { file: made.id, ts: entry.message.ts, sha256: digest(made), ...sendUnless(world, deliver, outgoing) };
  },

  "POST file/delete": (world, { file: id }) => {
    const file = world.workspace.files.get(id);
    if (!file) throw new ControlError("no such file");
    return sendUnless(world, true, removeFile(world, file));
  },

  "GET files": (world) => {
    const files = [...world.workspace.files.values()];
    return {
      files: files.map((file) => ({
        ...{ id: file.id, name: file.name, user: file.user, size: file.bytes.length, complete: file.complete },
        ...{ sha256: digest(file), shares: sharesOf(world.workspace, file) },
      })),
    };
  },

  "GET messages": (world, input) => {
    const channel = lookups.channel(world, input.channel);
    const messages = chosen(channel, input).map(({ message, metadata, event_ids }) => ({ ...message, metadata, event_ids }));
    return { total: messages.length, messages: messages.slice(-Number(input.limit ?? 10_000)) };
  },

  /** Waits until the channel holds `count` messages of the kind asked for. */
  "POST wait_messages": async (world, { count = 1, timeout_ms: timeout = 30_000, ...input }) => {
    const channel = lookups.channel(world, input.channel);
    const deadline = Date.now() + Number(timeout);
    for (;;) {
      const found = chosen(channel, input);
      if (found.length >= count || Date.now() > deadline) {
        return { reached: found.length >= count, count: found.length, messages: found.slice(-20).map(({ message, metadata }) => ({ ...message, metadata })) };
      }
      await pause(20);
    }
  },
};

function write(world, message, deliver) {
  const channel = lookups.channel(world, message.channel ?? "general");
  const user = lookups.person(world, message.user ?? "owner").id;
  const app = message.app ? lookups.app(world, message.app === true ? undefined : message.app) : undefined;
  const { entry, outgoing } = world.posting.post(channel, { ...message, user, app });
  entry.undelivered = deliver === false;
  return { channel, entry, outgoing };
}

function unitsOf(outgoing, { deliver = true, twice = false }) {
  if (!deliver) return [];
  return outgoing.flatMap((one) => (twice ? [{ one, copy: false }, { one, copy: true }] : [{ one, copy: false }]));
}

/** Sends units, at most `parallel` at a time; resolves to the deliveries once all are settled. */
async function dispatch(world, units, parallel = units.length) {
  const queue = [...units];
  const results = [];
  const worker = async () => {
    for (let unit = queue.shift(); unit !== undefined; unit = queue.shift()) {
      results.push(await world.deliveries.submit(unit.one, { copy: unit.copy }));
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(parallel, units.length)) }, worker));
  return results;
}

/** The envelopes of a stored message, under the event ids that it always had. */
function again(world, channel, entry) {
  const event = world.posting.messageEvent(channel, entry);
  const apps = [...world.workspace.apps.values()].filter((app) => channel.members.includes(app.owner));
  return apps.map((app, index) => envelope(world.workspace, app, event, entry.event_ids[index]));
}

function sendUnless(world, deliver, outgoing) {
  if (deliver) for (const one of outgoing) world.deliveries.submit(one);
  return { event_ids: outgoing.map((one) => one.event_id) };
}

function tally(deliveries) {
  const states = {};
  for (const { state } of deliveries) states[state] = (states[state] ?? 0) + 1;
  return states;
}

/** `from: "app"` are the messages that came through the API, `"people"` the others. */
function chosen(channel, { from, text, since, metadata_type: type }) {
  return channel.entries.filter(
    ({ message, metadata }) =>
      (!from || (from === "app") === Boolean(message.app_id)) &&
      (text === undefined || message.text.includes(text)) &&
      (since === undefined || message.ts > since) &&
      (type === undefined || metadata?.event_type === type),
  );
}
