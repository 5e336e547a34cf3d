// `reactions.*`.

import { SlackError } from "../slack-error.mjs";
import { visibleChannel } from "./arguments.mjs";

export const reactionMethods = {
  "reactions.add": (call) => react(call, false, "already_reacted"),
  "reactions.remove": (call) => react(call, true, "no_reaction"),

  "reactions.get": (call) => {
    const channel = visibleChannel(call, call.args.channel);
    const entry = target(channel, call.args.timestamp);
    return { type: "message", channel: channel.id, message: entry.message };
  },
};

function react(call, removed, error) {
  const { app, args, posting, deliveries } = call;
  const channel = visibleChannel(call, args.channel);
  const name = String(args.name ?? "").replace(/^:|:$/g, "");
  if (!/^[a-z0-9_+'-]+(?:::skin-tone-[2-6])?$/.test(name)) throw new SlackError("invalid_name");
  const outgoing = posting.react(channel, target(channel, args.timestamp), { user: app.owner, name, removed });
  if (!outgoing) throw new SlackError(error);
  for (const one of outgoing) deliveries.submit(one);
  return {};
}

function target(channel, timestamp) {
  if (!timestamp) throw new SlackError("no_item_specified");
  const entry = channel.byTs.get(String(timestamp));
  if (!entry) throw new SlackError("message_not_found");
  return entry;
}
