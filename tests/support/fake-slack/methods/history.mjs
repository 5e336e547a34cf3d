// `conversations.history` and `conversations.replies`.

import { SlackError } from "../slack-error.mjs";
import { parseTs } from "../timestamps.mjs";
import { cursorTo, cursorValue, flag, limitOf, microsOf, visibleChannel } from "./arguments.mjs";

export const historyMethods = {
  /** Newest first, `oldest` and `latest` exclusive unless `inclusive`; replies only where they were broadcast. */
  "conversations.history": (call) => {
    const channel = visibleChannel(call, call.args.channel);
    const found = within(call.args, channel.entries).filter(({ message }) => isTopLevel(message)).reverse();
    const { entries, next } = cut(call, found, { standard: 100, most: 999, reached: (ts, from) => ts <= from });
    return {
      messages: entries.map((entry) => shown(call, entry)),
      has_more: next !== undefined,
      pin_count: 0,
      channel_actions_ts: null,
      channel_actions_count: 0,
      ...(next === undefined ? {} : { response_metadata: { next_cursor: next } }),
    };
  },

  /** A thread, oldest first, its root at the head of each page. */
  "conversations.replies": (call) => {
    const channel = visibleChannel(call, call.args.channel);
    const named = channel.byTs.get(String(call.args.ts ?? ""));
    if (!named) throw new SlackError("thread_not_found");
    const rootTs = named.message.thread_ts ?? named.message.ts;
    const root = channel.byTs.get(rootTs);
    const replies = channel.entries.filter(({ message }) => message.thread_ts === rootTs && message.ts !== rootTs);
    const found = within(call.args, replies);
    const { entries, next } = cut(call, found, { standard: 1000, most: 1000, reached: (ts, from) => ts >= from });
    return {
      messages: [...(root ? [root] : []), ...entries].map((entry) => shown(call, entry)),
      has_more: next !== undefined,
      ...(next === undefined ? {} : { response_metadata: { next_cursor: next } }),
    };
  },
};

function isTopLevel(message) {
  return !message.thread_ts || message.thread_ts === message.ts || message.subtype === "thread_broadcast";
}

function within(args, entries) {
  const oldest = microsOf(args.oldest, "invalid_ts_oldest", -1);
  const latest = microsOf(args.latest, "invalid_ts_latest", Number.MAX_SAFE_INTEGER);
  const inclusive = flag(args.inclusive);
  return entries.filter(({ message }) => {
    const ts = parseTs(message.ts);
    return (ts > oldest && ts < latest) || (inclusive && (ts === oldest || ts === latest));
  });
}

/** One page. The cursor names the timestamp at which the next page begins, so new or deleted messages do not shift it. */
function cut({ args, settings, workspace }, found, { reached, ...limits }) {
  const limit = limitOf(args.limit, limits);
  const from = cursorValue("next_ts", args.cursor);
  const first = from === undefined ? 0 : found.findIndex(({ message }) => reached(parseTs(message.ts), Number(from)));
  const start = first < 0 ? found.length : first;
  const size = settings.raggedPages ? workspace.random.faults.below(limit + 1) : limit;
  const next = found[start + size];
  return {
    entries: found.slice(start, start + size),
    next: next ? cursorTo("next_ts", parseTs(next.message.ts)) : undefined,
  };
}

function shown({ args }, entry) {
  return flag(args.include_all_metadata) && entry.metadata ? { ...entry.message, metadata: entry.metadata } : entry.message;
}
