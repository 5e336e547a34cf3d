// What the fake knows: one application with its bot, servers, channels, people, messages, webhooks. Objects have the shape
// of Discord's OpenAPI; `fake-discord.test.mjs` checks that.

import { generateKeyPairSync, sign } from "node:crypto";

const EPOCH = 1_420_070_400_000n;

/** Who may do what does not matter here: everybody may do everything, unless a channel says otherwise. */
const ALL_PERMISSIONS = "2251799813685247";

export class World {
  constructor() {
    this.lastId = 0n;
    this.users = new Map();
    this.guilds = new Map();
    this.channels = new Map();
    this.messages = new Map();
    this.webhooks = new Map();
    this.files = new Map();
    this.token = "fake-discord-bot-token";
    const keys = generateKeyPairSync("ed25519");
    this.privateKey = keys.privateKey;
    this.publicKey = keys.publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex");
    this.bot = this.addUser("hubbub", { bot: true });
    this.application = { id: this.nextId(), name: "hubbub" };
    this.url = "";
  }

  /** A new id, larger than all before. */
  nextId(at = Date.now()) {
    const floor = (BigInt(at) - EPOCH) << 22n;
    this.lastId = floor > this.lastId ? floor : this.lastId + 1n;
    return String(this.lastId);
  }

  addUser(username, { bot, global_name = null } = {}) {
    const user = {
      id: this.nextId(),
      username,
      avatar: null,
      discriminator: "0",
      public_flags: 0,
      flags: 0,
      global_name,
      primary_guild: null,
      ...(bot ? { bot: true } : {}),
    };
    this.users.set(user.id, user);
    return user;
  }

  addGuild(name, people) {
    const id = this.nextId();
    const everyone = {
      id, name: "@everyone", permissions: ALL_PERMISSIONS, position: 0, color: 0,
      colors: { primary_color: 0, secondary_color: null, tertiary_color: null },
      hoist: false, managed: false, mentionable: false, icon: null, unicode_emoji: null, flags: 0,
    };
    const guild = { id, name, owner: people[0], roles: [everyone], emojis: [], members: [this.bot, ...people], unavailable: false };
    this.guilds.set(id, guild);
    return guild;
  }

  addEmoji(guild, name, animated = false) {
    const emoji = { id: this.nextId(), name, roles: [], require_colons: true, managed: false, animated, available: true };
    guild.emojis.push(emoji);
    return emoji;
  }

  addChannel(guild, name, { type = 0, parent_id = null, topic = null } = {}) {
    const channel = {
      id: this.nextId(), type, flags: 0, guild_id: guild.id, name, position: this.channels.size,
      parent_id, topic, nsfw: false, permission_overwrites: [], last_message_id: null, rate_limit_per_user: 0,
    };
    this.channels.set(channel.id, channel);
    return channel;
  }

  addThread(parent, owner, name, message) {
    const thread = {
      id: message?.id ?? this.nextId(), type: 11, flags: 0, guild_id: parent.guild_id, name, parent_id: parent.id,
      owner_id: owner.id, last_message_id: null, message_count: 0, member_count: 1, total_message_sent: 0, rate_limit_per_user: 0,
      thread_metadata: { archived: false, archive_timestamp: new Date().toISOString(), auto_archive_duration: 4320, locked: false },
    };
    this.channels.set(thread.id, thread);
    return thread;
  }

  openDirect(user) {
    const known = [...this.channels.values()].find((channel) => channel.type === 1 && channel.recipients[0].id === user.id);
    if (known) return known;
    const channel = { id: this.nextId(), type: 1, flags: 0, recipients: [user], last_message_id: null };
    this.channels.set(channel.id, channel);
    return channel;
  }

  addWebhook(channel, name, creator) {
    const webhook = {
      id: this.nextId(), type: 1, guild_id: channel.guild_id, channel_id: channel.id, name, avatar: null, user: creator,
      application_id: this.application.id, token: `hook-${this.nextId()}`,
    };
    webhook.url = `${this.url}/api/webhooks/${webhook.id}/${webhook.token}`;
    this.webhooks.set(webhook.id, webhook);
    return webhook;
  }

  /** A person or the bot by id, or by name. */
  user(key) {
    return this.users.get(key) ?? [...this.users.values()].find((user) => user.username === key);
  }

  /** A channel or thread by id, or by name. */
  channel(key) {
    return this.channels.get(key) ?? [...this.channels.values()].find((channel) => channel.name === key);
  }

  messagesOf(channelId) {
    if (!this.messages.has(channelId)) this.messages.set(channelId, []);
    return this.messages.get(channelId);
  }

  message(channelId, id) {
    return this.messagesOf(channelId).find((message) => message.id === id);
  }

  /** Stores a message and returns it; `given` is what its author sent. */
  write(channel, author, given, extra = {}) {
    const content = String(given.content ?? "").trim();
    const id = this.nextId();
    const message = {
      id, type: 0, channel_id: channel.id, author, content, timestamp: stamp(new Date()), edited_timestamp: null,
      tts: false, mention_everyone: false, mentions: [], mention_roles: [], attachments: [], embeds: given.embeds ?? [],
      pinned: false, flags: given.flags ?? 0, components: given.components ?? [], ...extra,
    };
    this.readMentions(message, given.allowed_mentions);
    const reference = given.message_reference;
    if (reference?.message_id) {
      const target = this.message(channel.id, reference.message_id);
      if (!target && reference.fail_if_not_exists !== false) return undefined;
      if (target) {
        message.type = 19;
        message.message_reference = { type: 0, channel_id: channel.id, message_id: target.id, ...(channel.guild_id ? { guild_id: channel.guild_id } : {}) };
        message.referenced_message = { ...target, referenced_message: undefined };
      }
    }
    this.messagesOf(channel.id).push(message);
    channel.last_message_id = id;
    return message;
  }

  readMentions(message, allowed) {
    const parses = (kind) => allowed === undefined || allowed.parse?.includes(kind) === true;
    const named = [...message.content.matchAll(/<@!?(\d+)>/g)].map((match) => match[1]);
    message.mentions = [...new Set(named)]
      .filter((id) => parses("users") || allowed?.users?.includes(id))
      .map((id) => this.users.get(id))
      .filter(Boolean);
    message.mention_everyone = parses("everyone") && /@(everyone|here)\b/.test(message.content);
  }

  addFile(channel, file, listed) {
    const id = this.nextId();
    this.files.set(id, file);
    const expiry = Math.floor(Date.now() / 1000 + 86_400).toString(16);
    const url = `${this.url}/attachments/${channel.id}/${id}/${encodeURIComponent(file.filename)}?ex=${expiry}&is=0&hm=0`;
    return {
      id, filename: file.filename, size: file.bytes.length, url, proxy_url: url, content_type: file.type,
      ...(listed?.description ? { description: listed.description } : {}),
    };
  }

  /** The headers by which an interaction is Discord's. */
  signInteraction(body, timestamp = String(Math.floor(Date.now() / 1000))) {
    const signature = sign(null, Buffer.from(timestamp + body), this.privateKey).toString("hex");
    return { "x-signature-ed25519": signature, "x-signature-timestamp": timestamp };
  }

  /** A server as GUILD_CREATE tells it. */
  guildCreate(guild) {
    const here = [...this.channels.values()].filter((channel) => channel.guild_id === guild.id);
    const members = guild.members.map((user) => this.member(user));
    return {
      id: guild.id, name: guild.name, icon: null, description: null, home_header: null, splash: null, discovery_splash: null,
      features: [], banner: null, owner_id: guild.owner.id, application_id: null, region: "us-west", afk_channel_id: null,
      afk_timeout: 300, system_channel_id: null, system_channel_flags: 0, widget_enabled: false, widget_channel_id: null,
      verification_level: 0, roles: guild.roles, default_message_notifications: 0, mfa_level: 0, explicit_content_filter: 0,
      max_presences: null, max_members: 500_000, max_stage_video_channel_users: 50, max_video_channel_users: 25,
      vanity_url_code: null, premium_tier: 0, premium_subscription_count: 0, preferred_locale: "en-US", rules_channel_id: null,
      safety_alerts_channel_id: null, public_updates_channel_id: null, premium_progress_bar_enabled: false, nsfw: false,
      nsfw_level: 0, emojis: guild.emojis, stickers: [], joined_at: stamp(new Date()), large: false, unavailable: false,
      member_count: members.length, members, presences: [], voice_states: [], stage_instances: [], guild_scheduled_events: [],
      soundboard_sounds: [], channels: here.filter((channel) => channel.type < 10 || channel.type > 12),
      threads: here.filter((channel) => channel.type >= 10 && channel.type <= 12 && !channel.thread_metadata.archived),
    };
  }

  member(user) {
    return {
      user, nick: null, avatar: null, banner: null, roles: [], joined_at: stamp(new Date(0)), premium_since: null, deaf: false,
      mute: false, flags: 0, pending: false, communication_disabled_until: null,
    };
  }
}

/** A moment as Discord writes it: microseconds and a zone. */
export function stamp(date) {
  return date.toISOString().replace("Z", "000+00:00");
}
