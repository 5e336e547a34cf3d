// Reading single arguments of a call, whatever their encoding, and cutting lists into pages.

import { SlackError } from "../slack-error.mjs";
import { parseTs } from "../timestamps.mjs";

/** True for `true`, `1`, `"1"` and `"true"`. */
export function flag(value) {
  return value === true || value === 1 || value === "1" || value === "true";
}

/** A list or object that a form carries as JSON text. `undefined` when absent. */
export function structured(value, error) {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    throw new SlackError(error);
  }
}

export function limitOf(value, { standard, most }) {
  if (value === undefined || value === "") return standard;
  const limit = Number(value);
  if (!Number.isInteger(limit) || limit < 0) throw new SlackError("invalid_limit");
  return limit === 0 ? standard : Math.min(limit, most);
}

/** A timestamp argument in microseconds; `standard` when absent. */
export function microsOf(value, error, standard) {
  if (value === undefined || value === "" || value === "0") return standard;
  if (value === "now") return Number.MAX_SAFE_INTEGER;
  const micros = parseTs(value);
  if (micros === null) throw new SlackError(error);
  return micros;
}

/** A cursor is opaque: base64 of a word and the id where the next page begins. */
export function cursorTo(word, id) {
  return Buffer.from(`${word}:${id}`).toString("base64");
}

export function cursorValue(word, cursor) {
  if (cursor === undefined || cursor === "") return undefined;
  const text = Buffer.from(String(cursor), "base64").toString("utf8");
  if (!text.startsWith(`${word}:`)) throw new SlackError("invalid_cursor");
  return text.slice(word.length + 1);
}

/**
 * One page of a list of things with ids. With `settings.raggedPages` a page may be short or even empty while a cursor
 * still leads on, as the documentation warns.
 */
export function page(list, { args, settings, random, word, most = 1000, standard = 100 }) {
  const limit = limitOf(args.limit, { standard, most });
  const from = cursorValue(word, args.cursor);
  const start = from === undefined ? 0 : list.findIndex((item) => item.id === from);
  if (start < 0) throw new SlackError("invalid_cursor");
  const size = settings.raggedPages ? random.below(limit + 1) : limit;
  const next = list[start + size];
  return { items: list.slice(start, start + size), next_cursor: next ? cursorTo(word, next.id) : "" };
}

/** The conversation that a call names, if its caller may know of it. */
export function visibleChannel({ workspace, app }, name) {
  const channel = name ? workspace.channel(name) : undefined;
  if (!channel || (channel.kind !== "public" && !channel.members.includes(app.owner))) {
    throw new SlackError("channel_not_found");
  }
  return channel;
}
