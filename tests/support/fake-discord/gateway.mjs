// The gateway: sessions that are identified, resumed with replay, refused and thrown out, as the documentation says.

import { randomUUID } from "node:crypto";

import { acceptWebSocket } from "./websocket.mjs";

/** Which intent an event needs; those that are not listed need GUILDS. */
const INTENTS = {
  MESSAGE_CREATE: [1 << 9, 1 << 12],
  MESSAGE_UPDATE: [1 << 9, 1 << 12],
  MESSAGE_DELETE: [1 << 9, 1 << 12],
  MESSAGE_DELETE_BULK: [1 << 9, 1 << 9],
  MESSAGE_REACTION_ADD: [1 << 10, 1 << 13],
  MESSAGE_REACTION_REMOVE: [1 << 10, 1 << 13],
  MESSAGE_REACTION_REMOVE_ALL: [1 << 10, 1 << 13],
  MESSAGE_REACTION_REMOVE_EMOJI: [1 << 10, 1 << 13],
  TYPING_START: [1 << 11, 1 << 14],
  GUILD_MEMBER_ADD: [1 << 1, 1 << 1],
  GUILD_MEMBER_UPDATE: [1 << 1, 1 << 1],
  GUILD_MEMBER_REMOVE: [1 << 1, 1 << 1],
  GUILD_EMOJIS_UPDATE: [1 << 3, 1 << 3],
  WEBHOOKS_UPDATE: [1 << 5, 1 << 5],
};

const MESSAGE_CONTENT = 1 << 15;
const PRIVILEGED = (1 << 1) | (1 << 8) | MESSAGE_CONTENT;

export class Gateway {
  constructor(world, settings) {
    this.world = world;
    this.settings = settings;
    this.sessions = new Map();
    this.connections = new Set();
    this.identifies = { total: 1000, remaining: 1000, resetAt: Date.now() + 86_400_000 };
    this.log = [];
  }

  /** `GET /gateway/bot`. */
  budget() {
    return {
      url: this.world.url.replace("http", "ws"),
      shards: 1,
      session_start_limit: {
        total: this.identifies.total,
        remaining: this.identifies.remaining,
        reset_after: Math.max(0, this.identifies.resetAt - Date.now()),
        max_concurrency: 1,
      },
    };
  }

  accept(request, socket) {
    const connection = { session: undefined, sent: [], acknowledge: true };
    connection.socket = acceptWebSocket(request, socket, {
      onText: (text) => this.heard(connection, text),
      onClose: (code) => this.left(connection, code),
    });
    this.connections.add(connection);
    this.note("connect", { url: request.url });
    this.say(connection, { op: 10, d: { heartbeat_interval: this.settings.heartbeatInterval, _trace: ["fake"] }, s: null, t: null });
  }

  note(what, more = {}) {
    this.log.push({ at: Date.now(), what, ...more });
  }

  say(connection, frame) {
    connection.socket.send(JSON.stringify(frame));
  }

  heard(connection, text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return this.throwOut(connection, 4002);
    }
    if (Buffer.byteLength(text) > 4096) return this.throwOut(connection, 4002);
    const now = Date.now();
    connection.sent = connection.sent.filter((at) => now - at < 60_000);
    connection.sent.push(now);
    if (connection.sent.length > 120) return this.throwOut(connection, 4008);
    this.note("frame", { op: frame.op });
    switch (frame.op) {
      case 1:
        connection.beaten = frame.d;
        if (connection.acknowledge) this.say(connection, { op: 11, d: null, s: null, t: null });
        return undefined;
      case 2:
        return this.identify(connection, frame.d);
      case 6:
        return this.resume(connection, frame.d);
      case 3:
      case 4:
        return connection.session ? undefined : this.throwOut(connection, 4003);
      case 8:
        return connection.session ? this.members(connection, frame.d) : this.throwOut(connection, 4003);
      default:
        return this.throwOut(connection, 4001);
    }
  }

  /** Discord takes the token with its prefix, too, which serenity sends. */
  knows(token) {
    return token === this.world.token || token === `Bot ${this.world.token}`;
  }

  throwOut(connection, code) {
    this.note("close", { code });
    connection.socket.close(code);
    return undefined;
  }

  identify(connection, given) {
    if (connection.session) return this.throwOut(connection, 4005);
    if (!this.knows(given?.token)) return this.throwOut(connection, 4004);
    if (typeof given.intents !== "number" || given.intents >= 1 << 27 || given.intents < 0) return this.throwOut(connection, 4013);
    if (given.intents & PRIVILEGED & ~this.settings.allowedIntents) return this.throwOut(connection, 4014);
    if (given.shard && given.shard[0] >= given.shard[1]) return this.throwOut(connection, 4010);
    this.identifies.remaining -= 1;
    this.note("identify", { remaining: this.identifies.remaining });
    if (this.identifies.remaining < 0) {
      // Discord resets the token of who identifies too often.
      this.world.token = `${this.world.token}-reset`;
      return this.throwOut(connection, 4004);
    }
    const session = { id: randomUUID().replaceAll("-", ""), intents: given.intents, seq: 0, events: [], connection };
    this.sessions.set(session.id, session);
    connection.session = session;
    const guilds = [...this.world.guilds.values()];
    this.dispatch(session, "READY", {
      v: 10, user: { ...this.world.bot, email: null, mfa_enabled: true, verified: true }, session_type: "normal", session_id: session.id,
      resume_gateway_url: `${this.world.url.replace("http", "ws")}/resume`, relationships: [], private_channels: [], presences: [],
      guilds: guilds.map((guild) => ({ id: guild.id, unavailable: true })), application: { id: this.world.application.id, flags: 565_248 },
      shard: [0, 1], _trace: ["fake"],
    });
    for (const guild of guilds) {
      this.dispatch(session, "GUILD_CREATE", guild.unavailable ? { id: guild.id, unavailable: true } : this.world.guildCreate(guild));
    }
    return undefined;
  }

  resume(connection, given) {
    if (!this.knows(given?.token)) return this.throwOut(connection, 4004);
    const session = this.sessions.get(given.session_id);
    if (!session) {
      this.note("invalid_session");
      return this.say(connection, { op: 9, d: false, s: null, t: null });
    }
    if (given.seq > session.seq) return this.throwOut(connection, 4007);
    session.connection = connection;
    connection.session = session;
    const missed = session.events.filter((event) => event.s > given.seq);
    this.note("resume", { seq: given.seq, replayed: missed.length });
    for (const event of missed) this.say(connection, event);
    return this.dispatch(session, "RESUMED", { _trace: ["fake"] });
  }

  members(connection, given) {
    const guild = this.world.guilds.get(String(given.guild_id));
    if (!guild) return;
    this.dispatch(connection.session, "GUILD_MEMBERS_CHUNK", {
      guild_id: guild.id, members: guild.members.map((user) => this.world.member(user)), chunk_index: 0, chunk_count: 1,
      ...(given.nonce ? { nonce: given.nonce } : {}),
    });
  }

  left(connection, code) {
    this.connections.delete(connection);
    this.note("left", { code });
    const { session } = connection;
    if (session?.connection !== connection) return;
    session.connection = undefined;
    // Whoever says goodbye ends the session.
    if (code === 1000 || code === 1001) this.sessions.delete(session.id);
  }

  /** Tells an event to every session that wants it, and keeps it for a resume. */
  tell(name, data) {
    for (const session of this.sessions.values()) {
      const needed = INTENTS[name]?.[data.guild_id ? 0 : 1] ?? 1;
      if ((session.intents & needed) === 0) continue;
      this.dispatch(session, name, this.visible(session, name, data));
    }
  }

  /** Without the intent for contents, what others wrote in servers comes empty. */
  visible(session, name, data) {
    const isMessage = name === "MESSAGE_CREATE" || name === "MESSAGE_UPDATE";
    if (!isMessage || session.intents & MESSAGE_CONTENT || !data.guild_id) return data;
    const bot = this.world.bot.id;
    if (data.author?.id === bot || data.mentions?.some((user) => user.id === bot)) return data;
    return { ...data, content: "", embeds: [], attachments: [], components: [], poll: undefined };
  }

  dispatch(session, name, data) {
    session.seq += 1;
    const event = { op: 0, t: name, s: session.seq, d: data };
    session.events.push(event);
    if (session.events.length > 10_000) session.events.shift();
    if (session.connection && !this.settings.held) this.say(session.connection, event);
  }

  /** What a test makes happen to the live connections. */
  disturb({ op, d, close, cut, forget, mute }) {
    const connections = [...this.connections];
    if (forget) this.sessions.clear();
    for (const connection of connections) {
      if (mute !== undefined) connection.acknowledge = !mute;
      if (op !== undefined) this.say(connection, { op, d: d ?? null, s: null, t: null });
      if (close !== undefined) this.throwOut(connection, close);
      if (cut) connection.socket.cut();
    }
    return connections.length;
  }

  end() {
    for (const connection of this.connections) connection.socket.cut();
  }
}
