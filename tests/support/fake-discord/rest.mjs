// REST v10: the calls that a bridge makes, with Discord's limits, codes and events.

import { readBody } from "./body.mjs";
import { Buckets } from "./buckets.mjs";
import { stamp } from "./world.mjs";

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const unknown = { channel: [404, 10003, "Unknown Channel"], message: [404, 10008, "Unknown Message"], guild: [404, 10004, "Unknown Guild"] };

function refuse([status, code, message]) {
  throw new Refusal(status, code, message);
}

/** [method, pattern, handler, free of the bot's token] */
const ROUTES = [];
const route = (method, path, handler, free = false) => {
  const pattern = new RegExp(`^${path.replaceAll(/:(\w+)/g, "(?<$1>[^/]+)")}$`);
  ROUTES.push({ method, path, pattern, handler, free });
};

route("GET", "/gateway", (rest) => ({ url: rest.gateway.budget().url }), true);
route("GET", "/gateway/bot", (rest) => rest.gateway.budget());
route("GET", "/users/@me", (rest) => {
  const { primary_guild, ...user } = rest.world.bot;
  return { ...user, mfa_enabled: true, locale: "en-US", verified: true, email: null };
});
route("GET", "/users/:user", (rest, { user }) => rest.world.users.get(user) ?? refuse([404, 10013, "Unknown User"]));
route("GET", "/applications/@me", (rest) => rest.application());
route("GET", "/oauth2/applications/@me", (rest) => rest.application());
route("PUT", "/applications/:application/commands", (rest, _, { json }) => {
  rest.world.commands = json;
  return json;
});
route("GET", "/users/@me/guilds", (rest) =>
  [...rest.world.guilds.values()].map((guild) => ({
    id: guild.id, name: guild.name, icon: null, banner: null, owner: false, permissions: "2251799813685247", features: [],
  })),
);
route("GET", "/guilds/:guild", (rest, { guild }) => {
  const { channels, threads, members, presences, voice_states, joined_at, large, ...told } = rest.world.guildCreate(rest.guild(guild));
  return told;
});
route("GET", "/guilds/:guild/channels", (rest, { guild }) => rest.world.guildCreate(rest.guild(guild)).channels);
route("GET", "/guilds/:guild/emojis", (rest, { guild }) => rest.guild(guild).emojis);
route("GET", "/guilds/:guild/roles", (rest, { guild }) => rest.guild(guild).roles);
route("GET", "/guilds/:guild/members/:user", (rest, { guild, user }) => {
  const found = rest.guild(guild).members.find((member) => member.id === user);
  return found ? rest.world.member(found) : refuse([404, 10007, "Unknown Member"]);
});
route("GET", "/guilds/:guild/threads/active", (rest, { guild }) => ({
  threads: rest.world.guildCreate(rest.guild(guild)).threads, members: [], has_more: false,
}));
route("GET", "/channels/:channel", (rest, { channel }) => rest.channel(channel));
route("PATCH", "/channels/:channel", (rest, { channel }, { json }) => {
  const changed = rest.channel(channel);
  for (const key of ["name", "topic"]) if (json[key] !== undefined) changed[key] = json[key];
  if (changed.thread_metadata && json.archived !== undefined) changed.thread_metadata.archived = json.archived;
  rest.tell(changed.thread_metadata ? "THREAD_UPDATE" : "CHANNEL_UPDATE", changed);
  return changed;
});
route("GET", "/channels/:channel/messages", (rest, { channel }, _, query) => rest.page(rest.channel(channel), query));
route("GET", "/channels/:channel/messages/:message", (rest, { channel, message }) => rest.message(rest.channel(channel), message));
route("POST", "/channels/:channel/messages", (rest, { channel }, body) => rest.create(rest.channel(channel), body));
route("PATCH", "/channels/:channel/messages/:message", (rest, { channel, message }, { json }) => {
  const edited = rest.message(rest.channel(channel), message);
  if (edited.author.id !== rest.world.bot.id) refuse([403, 50005, "Cannot edit a message authored by another user"]);
  return rest.edit(edited, json);
});
route("DELETE", "/channels/:channel/messages/:message", (rest, { channel, message }) => rest.remove(rest.message(rest.channel(channel), message)));
route("PUT", "/channels/:channel/messages/:message/reactions/:emoji/@me", (rest, { channel, message, emoji }) =>
  rest.react(rest.message(rest.channel(channel), message), rest.world.bot, emoji, true));
route("DELETE", "/channels/:channel/messages/:message/reactions/:emoji/@me", (rest, { channel, message, emoji }) =>
  rest.react(rest.message(rest.channel(channel), message), rest.world.bot, emoji, false));
route("GET", "/channels/:channel/messages/:message/reactions/:emoji", (rest, { channel, message, emoji }) => {
  const { key } = rest.emoji(emoji);
  const found = rest.message(rest.channel(channel), message);
  return [...(found.reactors?.get(key) ?? [])].map((id) => rest.world.users.get(id));
});
route("POST", "/channels/:channel/typing", (rest, { channel }) => {
  rest.world.typed = [...(rest.world.typed ?? []), { channel_id: rest.channel(channel).id, at: Date.now() }];
});
route("POST", "/channels/:channel/messages/:message/threads", (rest, { channel, message }, { json }) => {
  const parent = rest.channel(channel);
  const root = rest.message(parent, message);
  if (rest.world.channels.has(root.id)) refuse([400, 160004, "A thread has already been created for this message"]);
  return rest.thread(parent, rest.world.bot, json.name, root);
});
route("POST", "/channels/:channel/threads", (rest, { channel }, { json }) => rest.thread(rest.channel(channel), rest.world.bot, json.name));
for (const kind of ["public", "private"]) {
  route("GET", `/channels/:channel/threads/archived/${kind}`, (rest, { channel }) => ({
    threads: [...rest.world.channels.values()].filter(
      (thread) => thread.parent_id === rest.channel(channel).id && thread.thread_metadata?.archived && kind === "public",
    ),
    members: [],
    has_more: false,
  }));
}
route("GET", "/channels/:channel/webhooks", (rest, { channel }) =>
  [...rest.world.webhooks.values()].filter((webhook) => webhook.channel_id === rest.channel(channel).id));
route("POST", "/channels/:channel/webhooks", (rest, { channel }, { json }) => {
  const parent = rest.channel(channel);
  const known = [...rest.world.webhooks.values()].filter((webhook) => webhook.channel_id === parent.id);
  if (known.length >= 15) refuse([400, 30007, "Maximum number of webhooks reached (15)"]);
  if (!json.name || /clyde|discord/i.test(json.name)) refuse([400, 50035, "Invalid Form Body"]);
  const webhook = rest.world.addWebhook(parent, json.name, rest.world.bot);
  rest.gateway.tell("WEBHOOKS_UPDATE", { guild_id: parent.guild_id, channel_id: parent.id });
  return webhook;
});
route("DELETE", "/webhooks/:webhook", (rest, { webhook }) => {
  if (!rest.world.webhooks.delete(webhook)) refuse([404, 10015, "Unknown Webhook"]);
});
route("POST", "/webhooks/:webhook/:token", (rest, names, body, query) => rest.execute(rest.webhook(names), body, query), true);
route("PATCH", "/webhooks/:webhook/:token/messages/:message", (rest, names, { json }, query) => {
  if (names.webhook === rest.world.application.id) return rest.answerInteraction(names.token, json);
  return rest.edit(rest.spoken(names, query), json);
}, true);
route("DELETE", "/webhooks/:webhook/:token/messages/:message", (rest, names, _, query) => rest.remove(rest.spoken(names, query)), true);
route("POST", "/users/@me/channels", (rest, _, { json }) => {
  const user = rest.world.users.get(String(json.recipient_id));
  return user ? rest.world.openDirect(user) : refuse([400, 50035, "Invalid Form Body"]);
});

export class Rest {
  constructor(world, gateway, settings) {
    this.world = world;
    this.gateway = gateway;
    this.buckets = new Buckets(settings);
    this.calls = [];
    this.nonces = new Map();
    this.faults = [];
  }

  async handle(request, response, url) {
    const path = url.pathname.replace(/^\/api(\/v10)?/, "");
    const matches = ROUTES.filter((entry) => entry.method === request.method);
    const found = matches.map((entry) => ({ entry, match: entry.pattern.exec(path) })).find(({ match }) => match);
    const name = found ? `${request.method} ${found.entry.path}` : `${request.method} ${path}`;
    const call = { at: Date.now(), name, path, user_agent: request.headers["user-agent"], status: 0 };
    this.calls.push(call);
    const body = await readBody(request);
    call.json = body?.json;
    const fault = this.fault(name);
    call.fault = fault?.kind;
    if (fault?.kind === "close") return request.socket.destroy();
    if (fault?.kind === "html") return finish(response, call, fault.status ?? 429, "<html><title>error code: 1015</title></html>", { "content-type": "text/html" });
    if (fault?.kind === "http") return finish(response, call, fault.status ?? 502, fault.body ?? "");
    let answer;
    const headers = {};
    try {
      answer = this.answer(request, found, body, url.searchParams, headers, fault);
      call.status = answer === undefined ? 204 : /^POST .*\/threads$/.test(name) ? 201 : 200;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      call.status = error.status;
      answer = error.body ?? { message: error.message, code: error.code };
    }
    if (fault?.kind === "drop_answer") return request.socket.destroy();
    if (fault?.kind === "delay") await new Promise((resolve) => setTimeout(resolve, fault.ms ?? 1000));
    return finish(response, call, call.status, answer === undefined ? "" : JSON.stringify(answer), headers);
  }

  answer(request, found, body, query, headers, fault) {
    if (!/^DiscordBot \(|^node|discord\.js|Serenity/i.test(request.headers["user-agent"] ?? "")) throw new Refusal(403, 0, "no User-Agent");
    if (!found) throw new Refusal(404, 0, "404: Not Found");
    const { entry, match } = found;
    if (!entry.free && request.headers.authorization !== `Bot ${this.world.token}`) throw new Refusal(401, 0, "401: Unauthorized");
    if (body === undefined) throw new Refusal(400, 50109, "The request body contains invalid JSON.");
    if (body.tooLarge) throw new Refusal(413, 40005, "Request entity too large");
    const names = Object.fromEntries(Object.entries(match.groups ?? {}).map(([key, value]) => [key, decodeURIComponent(value)]));
    const major = names.channel ?? names.guild ?? names.webhook ?? "";
    const limited = this.buckets.take(`${entry.method} ${entry.path}`, major, headers, fault?.kind === "ratelimited" ? fault : undefined);
    if (limited) {
      const error = new Refusal(429, 0, "You are being rate limited.");
      error.body = limited;
      throw error;
    }
    return entry.handler(this, names, body, query);
  }

  /** The next fault that a test wants for this call. */
  fault(name) {
    const index = this.faults.findIndex((fault) => fault.name === undefined || name.startsWith(fault.name));
    if (index < 0) return undefined;
    const fault = this.faults[index];
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times <= 0) this.faults.splice(index, 1);
    return fault;
  }

  application() {
    return {
      ...this.world.application, icon: null, description: "", type: null, bot: this.world.bot, verify_key: this.world.publicKey,
      flags: 565_248, hook: true, flags_new: "565248", redirect_uris: [], interactions_endpoint_url: null, role_connections_verification_url: null, approximate_guild_count: 1, approximate_user_install_count: 0, approximate_user_authorization_count: 0, explicit_content_filter: 0, eligible_oauth2_scopes: [], bot_public: true, bot_require_code_grant: false, summary: "", owner: this.world.bot, team: null,
    };
  }

  guild(id) {
    const guild = this.world.guilds.get(id);
    return guild && !guild.unavailable ? guild : refuse(unknown.guild);
  }

  channel(id) {
    return this.world.channels.get(id) ?? refuse(unknown.channel);
  }

  message(channel, id) {
    return this.world.message(channel.id, id) ?? refuse(unknown.message);
  }

  webhook({ webhook, token }) {
    const known = this.world.webhooks.get(webhook);
    if (!known) refuse([404, 10015, "Unknown Webhook"]);
    return known.token === token ? known : refuse([401, 50027, "Invalid Webhook Token"]);
  }

  spoken(names, query) {
    const webhook = this.webhook(names);
    const message = this.message(this.channel(query.get("thread_id") ?? webhook.channel_id), names.message);
    return message.webhook_id === webhook.id ? message : refuse(unknown.message);
  }

  page(channel, query) {
    const limit = Math.min(100, Number(query.get("limit") ?? 50));
    const newer = (id) => (message) => BigInt(message.id) > BigInt(id);
    let messages = [...this.world.messagesOf(channel.id)];
    if (query.get("after")) messages = messages.filter(newer(query.get("after"))).slice(0, limit);
    else if (query.get("before")) messages = messages.filter((message) => BigInt(message.id) < BigInt(query.get("before"))).slice(-limit);
    else messages = messages.slice(-limit);
    return messages.reverse();
  }

  create(channel, { json, files }) {
    check(json, files);
    if (channel.thread_metadata?.locked) refuse([403, 160005, "Thread is locked"]);
    const key = json.nonce === undefined ? undefined : `${channel.id} ${json.nonce}`;
    if (key !== undefined && String(json.nonce).length > 25) refuse([400, 50035, "Invalid Form Body"]);
    const before = json.enforce_nonce ? this.nonces.get(key) : undefined;
    if (before) return before;
    const message = this.put(channel, this.world.bot, json, files, json.nonce === undefined ? {} : { nonce: json.nonce });
    if (key !== undefined) this.nonces.set(key, message);
    return message;
  }

  execute(webhook, { json, files }, query) {
    check(json, files);
    if (/clyde|discord/i.test(json.username ?? "") || (json.username ?? "x").length > 80) refuse([400, 50035, "Invalid Form Body"]);
    const channel = this.channel(query.get("thread_id") ?? webhook.channel_id);
    const author = {
      ...this.world.bot, id: webhook.id, username: json.username ?? webhook.name, avatar: null, discriminator: "0000", global_name: null, bot: true,
    };
    const message = this.put(channel, author, json, files, { webhook_id: webhook.id, application_id: this.world.application.id });
    return query.get("wait") === "true" ? message : undefined;
  }

  put(channel, author, json, files, extra) {
    if (channel.thread_metadata?.archived) {
      channel.thread_metadata.archived = false;
      this.tell("THREAD_UPDATE", channel);
    }
    const listed = (index) => json.attachments?.find((entry) => Number(entry.id) === index);
    const attachments = files.map((file) => this.world.addFile(channel, file, listed(file.index)));
    const message = this.world.write(channel, author, json, { attachments, ...extra });
    if (!message) refuse([400, 50035, "Invalid Form Body"]);
    this.announce(message, author);
    return message;
  }

  /** Tells that a message was written. */
  announce(message, author) {
    const channel = this.world.channels.get(message.channel_id);
    const member = channel.guild_id && !message.webhook_id ? { member: { ...this.world.member(author), user: undefined } } : {};
    this.tell("MESSAGE_CREATE", message, member);
  }

  /** Tells about something in a channel, with the server's id where there is one. */
  tell(name, data, more = {}) {
    const channel = this.world.channels.get(data.channel_id ?? data.id);
    const { reactors, ...told } = data;
    this.gateway.tell(name, { ...told, ...(channel?.guild_id ? { guild_id: channel.guild_id } : {}), ...more });
  }

  edit(message, json) {
    if (json.content !== undefined && json.content !== null && json.content.length > 2000) refuse([400, 50035, "Invalid Form Body"]);
    if (typeof json.content === "string") message.content = json.content.trim();
    if (json.embeds) message.embeds = json.embeds;
    if (json.flags !== undefined) message.flags = json.flags;
    message.edited_timestamp = stamp(new Date());
    this.world.readMentions(message, json.allowed_mentions);
    this.tell("MESSAGE_UPDATE", message);
    return message;
  }

  remove(message) {
    const messages = this.world.messagesOf(message.channel_id);
    messages.splice(messages.indexOf(message), 1);
    this.gone("MESSAGE_DELETE", message.channel_id, { id: message.id });
  }

  gone(name, channelId, more) {
    this.tell(name, { channel_id: channelId, ...more });
  }

  emoji(text) {
    const custom = /^(?:a:)?(\w+):(\d+)$/.exec(text);
    if (custom) {
      const known = [...this.world.guilds.values()].flatMap((guild) => guild.emojis).find((emoji) => emoji.id === custom[2]);
      if (!known) refuse([400, 10014, "Unknown Emoji"]);
      return { key: known.id, emoji: { id: known.id, name: known.name, animated: known.animated } };
    }
    if (!/\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3/u.test(text)) refuse([400, 10014, "Unknown Emoji"]);
    return { key: text.replaceAll("\ufe0f", ""), emoji: { id: null, name: text } };
  }

  react(message, user, text, added) {
    const { key, emoji } = this.emoji(text);
    Object.defineProperty(message, "reactors", { value: message.reactors ?? new Map(), enumerable: false, configurable: true });
    const people = message.reactors.get(key) ?? new Set();
    if (people.has(user.id) === added) return;
    if (added) people.add(user.id);
    else people.delete(user.id);
    message.reactors.set(key, people);
    message.reactions = [...message.reactors].filter(([, who]) => who.size > 0).map(([known, who]) => ({
      emoji: known === key ? emoji : message.reactions.find((reaction) => (reaction.emoji.id ?? reaction.emoji.name.replaceAll("\ufe0f", "")) === known).emoji,
      count: who.size, count_details: { burst: 0, normal: who.size }, burst_colors: [], me_burst: false, me: who.has(this.world.bot.id),
    }));
    const member = added && !user.bot ? { member: this.world.member(user) } : {};
    this.tell(added ? "MESSAGE_REACTION_ADD" : "MESSAGE_REACTION_REMOVE", {
      user_id: user.id, channel_id: message.channel_id, message_id: message.id, emoji, burst: false, type: 0, ...member,
      ...(added ? { message_author_id: message.author.id } : {}),
    });
  }

  thread(parent, owner, name, root) {
    const thread = this.world.addThread(parent, owner, name, root);
    if (root) {
      root.flags |= 1 << 5;
      root.thread = thread;
      this.tell("MESSAGE_UPDATE", root);
    }
    this.tell("THREAD_CREATE", thread, { newly_created: true });
    return thread;
  }

  answerInteraction(token, json) {
    this.world.answers = [...(this.world.answers ?? []), { token, content: json.content }];
    return this.world.write(this.world.openDirect(this.world.bot), this.world.bot, json);
  }
}

function check(json, files) {
  if (typeof json !== "object" || json === null) refuse([400, 50035, "Invalid Form Body"]);
  const content = json.content ?? "";
  if (content.length > 2000) refuse([400, 50035, "Invalid Form Body"]);
  const empty = content.trim() === "" && files.length === 0 && !json.embeds?.length && !json.components?.length && !json.poll && !json.sticker_ids?.length;
  if (empty) refuse([400, 50006, "Cannot send an empty message"]);
  if (files.some((file) => file.bytes.length > 10 * 1024 * 1024)) refuse([413, 40005, "Request entity too large"]);
}

function finish(response, call, status, text, headers = {}) {
  call.status = status;
  response.writeHead(status, text === "" ? headers : { "content-type": "application/json", ...headers });
  response.end(text);
}
