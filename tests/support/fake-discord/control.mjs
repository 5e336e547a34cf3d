// What tests do to the fake: people talk, the gateway misbehaves, calls fail. `POST /_control/NAME` with JSON, or GET.

import { readBody } from "./body.mjs";

const CALLS = {
  workspace({ world, url }) {
    const { bot, application, token, publicKey } = world;
    const { users, guilds, channels } = world;
    return {
      api: `${url()}/api/v10/`, token, public_key: publicKey, application_id: application.id, bot,
      people: [...users.values()].filter((user) => !user.bot),
      guilds: [...guilds.values()].map(({ id, name, emojis }) => ({ id, name, emojis })),
      channels: [...channels.values()],
    };
  },
  /** A person writes: `{channel, user, content, reply_to?, embeds?, files?, extra?}`. */
  messages(fake, { channel, user, messages, ...one }) {
    const written = (messages ?? [one]).map((given) => {
      const place = needed(fake.world.channel(given.channel ?? channel), "channel");
      const author = needed(fake.world.user(given.user ?? user), "user");
      const reference = given.reply_to ? { message_reference: { message_id: given.reply_to } } : {};
      const attachments = (given.files ?? []).map((file) =>
        fake.world.addFile(place, { filename: file.name, type: file.type ?? "text/plain", bytes: Buffer.from(file.base64 ?? "", "base64") }),
      );
      const message = fake.world.write(place, author, { ...given, ...reference }, { attachments, ...given.extra });
      fake.rest.announce(message, author);
      return message;
    });
    return { messages: written };
  },
  edit(fake, { channel, id, content, preview }) {
    const message = needed(fake.world.message(needed(fake.world.channel(channel), "channel").id, id), "message");
    if (preview) {
      // Discord adds what it found behind a link: nobody edited anything.
      message.embeds = [...message.embeds, preview];
      fake.rest.tell("MESSAGE_UPDATE", message);
      return { message };
    }
    return { message: fake.rest.edit(message, { content }) };
  },
  delete(fake, { channel, ids }) {
    const place = needed(fake.world.channel(channel), "channel");
    const messages = ids.map((id) => needed(fake.world.message(place.id, id), "message"));
    if (messages.length === 1) fake.rest.remove(messages[0]);
    else {
      const left = fake.world.messagesOf(place.id).filter((message) => !ids.includes(message.id));
      fake.world.messages.set(place.id, left);
      fake.rest.gone("MESSAGE_DELETE_BULK", place.id, { ids });
    }
    return {};
  },
  reaction(fake, { channel, id, user, emoji, removed, all }) {
    const place = needed(fake.world.channel(channel), "channel");
    const message = needed(fake.world.message(place.id, id), "message");
    if (all) {
      message.reactors?.clear();
      message.reactions = [];
      fake.rest.gone("MESSAGE_REACTION_REMOVE_ALL", place.id, { message_id: id });
    } else fake.rest.react(message, needed(fake.world.user(user), "user"), emoji, !removed);
    return {};
  },
  typing(fake, { channel, user }) {
    const place = needed(fake.world.channel(channel), "channel");
    const person = needed(fake.world.user(user), "user");
    fake.rest.tell("TYPING_START", { channel_id: place.id, user_id: person.id, timestamp: Math.floor(Date.now() / 1000) });
    return {};
  },
  threads(fake, { channel, user, name, message, archived }) {
    const place = needed(fake.world.channel(channel), "channel");
    const root = message ? needed(fake.world.message(place.id, message), "message") : undefined;
    const thread = fake.rest.thread(place, needed(fake.world.user(user), "user"), name, root);
    if (archived) thread.thread_metadata.archived = true;
    return { thread };
  },
  channels(fake, { guild, name, ...more }) {
    const place = guild ? fake.world.guilds.get(guild) : [...fake.world.guilds.values()][0];
    const channel = fake.world.addChannel(needed(place, "guild"), name, more);
    fake.rest.tell("CHANNEL_CREATE", channel);
    return { channel };
  },
  "channels/update"(fake, { channel, deleted, ...changes }) {
    const place = needed(fake.world.channel(channel), "channel");
    Object.assign(place, changes);
    fake.rest.tell(deleted ? "CHANNEL_DELETE" : "CHANNEL_UPDATE", place);
    if (deleted) fake.world.channels.delete(place.id);
    return { channel: place };
  },
  direct: (fake, { user }) => ({ channel: fake.world.openDirect(needed(fake.world.user(user), "user")) }),
  /** An outage of a server (`unavailable`), its end, or the bot is thrown out (`removed`). */
  guild(fake, { guild, unavailable, removed }) {
    const place = needed(guild ? fake.world.guilds.get(guild) : [...fake.world.guilds.values()][0], "guild");
    place.unavailable = unavailable === true;
    if (removed) {
      fake.world.guilds.delete(place.id);
      fake.gateway.tell("GUILD_DELETE", { id: place.id });
    } else if (unavailable) fake.gateway.tell("GUILD_DELETE", { id: place.id, unavailable: true });
    else fake.gateway.tell("GUILD_CREATE", fake.world.guildCreate(place));
    return {};
  },
  /** Any event, as it is. */
  event(fake, { name, data }) {
    fake.gateway.tell(name, data);
    return {};
  },
  /** `{op, d}`, `{close: 4009}`, `{cut: true}`, `{forget: true}` (sessions), `{mute: true}` (no heartbeat is answered). */
  gateway: (fake, given) => ({ connections: fake.gateway.disturb(given) }),
  /** `{name?: "POST /channels", kind, times?, …}`: ratelimited, html, http, close, drop_answer, delay. */
  faults(fake, { clear, ...fault }) {
    if (clear) fake.rest.faults.length = 0;
    if (fault.kind) fake.rest.faults.push(fault);
    return {};
  },
  settings(fake, given) {
    Object.assign(fake.settings, given);
    if (given.identifies !== undefined) fake.gateway.identifies.remaining = given.identifies;
    if (given.token !== undefined) fake.world.token = given.token;
    return {};
  },
  /** Sends a signed interaction to `url`: a ping, or `/link CODE` by somebody; `tamper` spoils the signature. */
  async interaction(fake, { url, user, code, tamper }) {
    const person = user ? needed(fake.world.user(user), "user") : undefined;
    const common = { id: fake.world.nextId(), application_id: fake.world.application.id, token: `interaction-${fake.world.nextId()}`, version: 1 };
    const options = [{ name: "code", type: 3, value: code }];
    const command = { type: 2, data: { id: "1", name: "link", type: 1, options }, user: person };
    const body = JSON.stringify({ ...common, ...(person ? command : { type: 1 }) });
    const headers = { "content-type": "application/json", ...fake.world.signInteraction(tamper ? `${body} ` : body) };
    const answer = await fetch(url, { method: "POST", headers, body });
    return { status: answer.status, body: await answer.text(), token: common.token };
  },
  calls: (fake) => ({ calls: fake.rest.calls }),
  log: (fake) => ({ log: fake.gateway.log, answers: fake.world.answers ?? [], typed: fake.world.typed ?? [] }),
  stored: (fake, { channel }) => ({ messages: fake.world.messagesOf(needed(fake.world.channel(channel), "channel").id) }),
};

function needed(value, what) {
  if (value === undefined) throw new Error(`no such ${what}`);
  return value;
}

export async function handleControl(fake, request, response, url) {
  const answer = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  const call = CALLS[url.pathname.replace(/^\/_control\//, "")];
  if (!call) return answer(404, { ok: false, error: "no such call" });
  const body = await readBody(request);
  try {
    const given = { ...Object.fromEntries(url.searchParams), ...body?.json };
    return answer(200, { ok: true, ...(await call(fake, given)) });
  } catch (error) {
    return answer(400, { ok: false, error: error.message });
  }
}
