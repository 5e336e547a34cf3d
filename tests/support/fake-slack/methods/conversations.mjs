// `conversations.*` and `users.conversations`, without messages (those are in `history.mjs`).

import { SlackError } from "../slack-error.mjs";
import { flag, page, visibleChannel } from "./arguments.mjs";

const TYPES = { public_channel: "public", private_channel: "private", im: "im", mpim: "mpim" };

export const conversationMethods = {
  "conversations.list": (call) => list(call, (channel) => channel.kind === "public" || channel.members.includes(call.app.owner)),

  "users.conversations": (call) => {
    const user = call.args.user ?? call.app.owner;
    return list(call, (channel) => channel.members.includes(user) && (channel.kind === "public" || channel.members.includes(call.app.owner)));
  },

  "conversations.info": (call) => {
    const channel = visibleChannel(call, call.args.channel);
    const object = conversationObject(call, channel);
    const latest = channel.entries.at(-1)?.message ?? null;
    if (channel.members.includes(call.app.owner)) {
      Object.assign(object, { last_read: channel.last_read[call.app.owner] ?? "0000000000.000000" });
    }
    if (channel.kind === "im") Object.assign(object, { latest, unread_count: 0, unread_count_display: 0, is_open: true });
    if (flag(call.args.include_num_members)) object.num_members = channel.members.length;
    return { channel: object };
  },

  "conversations.members": (call) => {
    const channel = visibleChannel(call, call.args.channel);
    const members = channel.members.map((id) => ({ id }));
    const { items, next_cursor } = page(members, { ...call, random: call.workspace.random.faults, word: "user" });
    return { members: items.map(({ id }) => id), response_metadata: { next_cursor } };
  },

  "conversations.open": (call) => {
    const { workspace, app, args, posting, deliveries } = call;
    if (args.channel) {
      const channel = visibleChannel(call, args.channel);
      return { no_op: true, already_open: true, channel: openedObject(call, channel) };
    }
    const users = String(args.users ?? "").split(",").map((user) => user.trim()).filter((user) => user !== "");
    if (users.length === 0) throw new SlackError("users_list_not_supplied");
    if (users.length > 8) throw new SlackError("too_many_users");
    if (users.some((user) => !workspace.people.has(user))) throw new SlackError("user_not_found");
    const { channel, created } = workspace.openDirect([app.owner, ...users]);
    if (!created) return { no_op: true, already_open: true, channel: openedObject(call, channel) };
    if (channel.kind === "im") {
      const event = { type: "im_created", user: app.owner, channel: conversationObject(call, channel) };
      for (const one of posting.announce(channel, event)) deliveries.submit(one);
    }
    return { channel: openedObject(call, channel) };
  },

  "conversations.mark": (call) => {
    const channel = visibleChannel(call, call.args.channel);
    if (!channel.members.includes(call.app.owner)) throw new SlackError("not_in_channel");
    channel.last_read[call.app.owner] = String(call.args.ts);
    call.workspace.changed();
    return {};
  },

  "conversations.join": (call) => {
    const channel = visibleChannel(call, call.args.channel);
    if (channel.is_archived) throw new SlackError("is_archived");
    if (channel.kind !== "public") throw new SlackError("method_not_supported_for_channel_type");
    if (!channel.members.includes(call.app.owner)) channel.members.push(call.app.owner);
    call.workspace.changed();
    return { channel: conversationObject(call, channel) };
  },
};

function list(call, visible) {
  const types = String(call.args.types ?? "public_channel").split(",").map((type) => TYPES[type.trim()]);
  if (types.includes(undefined)) throw new SlackError("invalid_types");
  const all = [...call.workspace.channels.values()].filter(visible);
  // The filter comes after the page, as at Slack: so a page can be short while the cursor leads on.
  const { items, next_cursor } = page(all, { ...call, random: call.workspace.random.faults, word: "team" });
  const channels = items
    .filter((channel) => types.includes(channel.kind))
    .filter((channel) => !(flag(call.args.exclude_archived) && channel.is_archived))
    .map((channel) => conversationObject(call, channel));
  return { channels, response_metadata: { next_cursor } };
}

function openedObject(call, channel) {
  return flag(call.args.return_im) ? conversationObject(call, channel) : { id: channel.id };
}

/** A conversation as its caller sees it. */
export function conversationObject({ workspace, app }, channel) {
  const common = { id: channel.id, created: channel.created, updated: channel.created * 1000, is_archived: channel.is_archived };
  if (channel.kind === "im") {
    const user = channel.members.find((member) => member !== app.owner) ?? app.owner;
    return { ...common, is_im: true, is_org_shared: false, context_team_id: workspace.team.id, user, is_user_deleted: false, priority: 0 };
  }
  return {
    ...common,
    name: channel.name,
    name_normalized: channel.name,
    is_channel: channel.kind !== "mpim",
    is_group: false,
    is_im: false,
    is_mpim: channel.kind === "mpim",
    is_private: channel.kind !== "public",
    is_general: channel.is_general,
    is_member: channel.members.includes(app.owner),
    unlinked: 0,
    is_shared: false,
    is_org_shared: false,
    is_pending_ext_shared: false,
    pending_shared: [],
    context_team_id: workspace.team.id,
    creator: channel.creator,
    is_ext_shared: false,
    shared_team_ids: [workspace.team.id],
    pending_connected_team_ids: [],
    topic: channel.topic,
    purpose: channel.purpose,
    previous_names: channel.previous_names ?? [],
    num_members: channel.members.length,
  };
}
