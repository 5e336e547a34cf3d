// What happens to messages: posted, edited, deleted, reacted to. Each change is stored first and yields the
// envelopes to send, one for each app whose owner is in the conversation; the caller decides when they go out.

import { channelType, envelope } from "./envelope.mjs";
import { richTextBlock } from "./rich-text.mjs";

export class Posting {
  constructor(workspace, settings) {
    this.workspace = workspace;
    this.settings = settings;
  }

  /** The envelopes of `event` for everyone who may see it: the members of `channel`, or every app without one. */
  announce(channel, event) {
    const outgoing = [];
    for (const app of this.workspace.apps.values()) {
      if (!channel || channel.members.includes(app.owner)) outgoing.push(envelope(this.workspace, app, event));
    }
    return outgoing;
  }

  /**
   * Stores a message. `draft` has `user`, `text`, and what is special about it: `blocks` (an array, or `false` for a
   * message without any), `thread_ts`, `reply_broadcast`, `subtype`, `metadata`, `ts` (to write the past), `app`
   * (posted through this app's API token), `extra` (raw fields laid over the message).
   */
  post(channel, draft) {
    const message = this.compose(channel, draft);
    const entry = { message, metadata: draft.metadata ?? null };
    const outgoing = this.announce(channel, this.messageEvent(channel, entry));
    entry.event_ids = outgoing.map((one) => one.event_id);
    this.workspace.insert(channel, entry);
    this.countReply(channel, message);
    return { entry, outgoing };
  }

  compose(channel, draft) {
    const { workspace } = this;
    const person = workspace.people.get(draft.user);
    const message = { user: draft.user, type: "message", ts: draft.ts ?? workspace.nextTs(channel) };
    if (draft.app) {
      Object.assign(message, { bot_id: draft.app.bot_id, app_id: draft.app.id });
    } else if (person?.is_bot) {
      delete message.user;
      Object.assign(message, { subtype: "bot_message", bot_id: person.bot_id, username: person.real_name });
    } else {
      message.client_msg_id = workspace.random.ids.uuid();
    }
    message.text = draft.text ?? "";
    message.team = workspace.team.id;
    if (draft.app) message.bot_profile = this.botProfile(draft.app);
    if (draft.subtype) message.subtype = draft.subtype;
    if (draft.blocks) message.blocks = draft.blocks.map((block) => this.withBlockId(block));
    else if (draft.blocks !== false && message.text !== "") {
      message.blocks = [richTextBlock(message.text, this.blockId())];
    }
    this.placeInThread(channel, message, draft);
    return Object.assign(message, draft.extra ?? {});
  }

  placeInThread(channel, message, draft) {
    if (!draft.thread_ts) return;
    const parent = channel.byTs.get(draft.thread_ts);
    message.thread_ts = draft.thread_ts;
    if (parent) message.parent_user_id = parent.message.user;
    if (draft.reply_broadcast) {
      message.subtype = "thread_broadcast";
      if (parent) message.root = { ...parent.message };
    }
  }

  /** A thread's first message carries its counts. */
  countReply(channel, reply) {
    const parent = reply.thread_ts && reply.thread_ts !== reply.ts ? channel.byTs.get(reply.thread_ts) : undefined;
    if (!parent) return;
    const { message } = parent;
    const users = [...new Set([...(message.reply_users ?? []), reply.user])];
    Object.assign(message, {
      thread_ts: message.ts,
      reply_count: (message.reply_count ?? 0) + 1,
      reply_users_count: users.length,
      latest_reply: reply.ts,
      reply_users: users,
      is_locked: false,
      subscribed: false,
    });
  }

  messageEvent(channel, entry) {
    const event = { ...entry.message };
    if (entry.metadata && this.settings.echoMetadata) event.metadata = entry.metadata;
    return { ...event, channel: channel.id, event_ts: event.ts, channel_type: channelType(channel) };
  }

  /** An edit by its author: `message_changed` with `edited`. */
  edit(channel, entry, { text, blocks, metadata }) {
    const previous = structuredClone(entry.message);
    const eventTs = this.workspace.nextTs(channel);
    if (text !== undefined) entry.message.text = text;
    if (blocks) entry.message.blocks = blocks.map((block) => this.withBlockId(block));
    else if (text !== undefined) entry.message.blocks = [richTextBlock(text, this.blockId())];
    if (metadata !== undefined) entry.metadata = metadata;
    entry.message.edited = { user: previous.user, ts: `${eventTs.split(".")[0]}.000000` };
    return this.changed(channel, entry, previous, eventTs);
  }

  /** Slack adds a link preview: `message_changed` without a new `edited`, which is no edit. */
  unfurl(channel, entry, attachment) {
    const previous = structuredClone(entry.message);
    entry.message.attachments = [...(entry.message.attachments ?? []), { id: 1, ...attachment }];
    return this.changed(channel, entry, previous, this.workspace.nextTs(channel));
  }

  changed(channel, entry, previous, eventTs) {
    this.workspace.changed();
    const message = { ...entry.message, source_team: this.workspace.team.id, user_team: this.workspace.team.id };
    if (entry.metadata && this.settings.echoMetadata) message.metadata = entry.metadata;
    return this.announce(channel, {
      type: "message",
      subtype: "message_changed",
      message,
      previous_message: previous,
      channel: channel.id,
      hidden: true,
      ts: eventTs,
      event_ts: eventTs,
      channel_type: channelType(channel),
    });
  }

  /** A message goes; the first of a thread with replies stays as a tombstone. */
  remove(channel, entry) {
    if (entry.message.reply_count > 0) return this.bury(channel, entry);
    const eventTs = this.workspace.nextTs(channel);
    const previous = entry.message;
    this.workspace.remove(channel, previous.ts);
    return this.announce(channel, {
      type: "message",
      subtype: "message_deleted",
      previous_message: previous,
      channel: channel.id,
      hidden: true,
      deleted_ts: previous.ts,
      event_ts: eventTs,
      ts: eventTs,
      channel_type: channelType(channel),
    });
  }

  bury(channel, entry) {
    const previous = structuredClone(entry.message);
    const { ts, thread_ts, reply_count, reply_users, reply_users_count, latest_reply } = previous;
    const kept = { ts, thread_ts, reply_count, reply_users, reply_users_count, latest_reply };
    entry.message = { type: "message", subtype: "tombstone", text: "This message was deleted.", user: "USLACKBOT", hidden: true, ...kept };
    entry.metadata = null;
    return this.changed(channel, entry, previous, this.workspace.nextTs(channel));
  }

  /** Adds or takes away a reaction; `null` when there was nothing to do. */
  react(channel, entry, { user, name, removed = false }) {
    const { message } = entry;
    const reactions = message.reactions ?? [];
    const found = reactions.find((reaction) => reaction.name === name);
    if (Boolean(found?.users.includes(user)) !== removed) return null;
    const users = removed ? found.users.filter((other) => other !== user) : [...(found?.users ?? []), user];
    const rest = reactions.filter((reaction) => reaction.name !== name);
    message.reactions = users.length > 0 ? [...rest, { name, users, count: users.length }] : rest;
    if (message.reactions.length === 0) delete message.reactions;
    this.workspace.changed();
    return this.announce(channel, {
      type: removed ? "reaction_removed" : "reaction_added",
      user,
      reaction: name,
      item: { type: "message", channel: channel.id, ts: message.ts },
      item_user: message.user,
      event_ts: this.workspace.nextTs(channel),
    });
  }

  botProfile(app) {
    const icon = (size) => `https://a.slack-edge.com/80588/img/plugins/app/bot_${size}.png`;
    const icons = { image_36: icon(36), image_48: icon(48), image_72: icon(72) };
    return { id: app.bot_id, deleted: false, name: app.name, updated: 1716360210, app_id: app.id, icons, team_id: this.workspace.team.id };
  }

  withBlockId(block) {
    return block.block_id ? block : { ...block, block_id: this.blockId() };
  }

  blockId() {
    return this.workspace.random.ids.id("", 5);
  }
}
