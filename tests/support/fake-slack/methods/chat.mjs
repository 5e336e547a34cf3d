// `chat.*`: posting as the owner of the token, with all the refusals that a bridge must know.

import { normaliseApiText, textOfBlocks } from "../rich-text.mjs";
import { SlackError } from "../slack-error.mjs";
import { flag, structured, visibleChannel } from "./arguments.mjs";

const TEXT_LIMIT = 40_000;
const BLOCK_LIMIT = 50;
const METADATA_LIMIT = 16 * 1024;
const BLOCK_TYPES = new Set(
  "actions alert card carousel context context_actions divider file header image input markdown plan rich_text section table task_card video".split(" "),
);
const RICH_TEXT_TYPES = new Set(["rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"]);

export const chatMethods = {
  "chat.postMessage": (call) => {
    const { workspace, app, args, posting, deliveries } = call;
    const channel = writableChannel(call);
    const content = contentOf(args);
    if (args.thread_ts && !channel.byTs.has(String(args.thread_ts))) throw new SlackError("thread_not_found");
    const { entry, outgoing } = posting.post(channel, {
      ...content,
      user: app.owner,
      app,
      metadata: metadataOf(args),
      thread_ts: args.thread_ts ? String(args.thread_ts) : undefined,
      reply_broadcast: flag(args.reply_broadcast),
    });
    for (const one of outgoing) deliveries.submit(one);
    workspace.onPosted?.(channel, entry);
    return { channel: channel.id, ts: entry.message.ts, message: answered(entry) };
  },

  "chat.update": (call) => {
    const { args, app, posting, deliveries } = call;
    const { channel, entry } = existing(call);
    if (entry.message.user !== app.owner) throw new SlackError("cant_update_message");
    if (call.settings.editWindowClosed) throw new SlackError("edit_window_closed");
    const outgoing = posting.edit(channel, entry, { ...contentOf(args), metadata: metadataOf(args) ?? undefined });
    for (const one of outgoing) deliveries.submit(one);
    return { channel: channel.id, ts: entry.message.ts, text: entry.message.text, message: answered(entry) };
  },

  "chat.delete": (call) => {
    const { app, posting, deliveries } = call;
    const { channel, entry } = existing(call);
    if (entry.message.user !== app.owner) throw new SlackError("cant_delete_message");
    for (const one of posting.remove(channel, entry)) deliveries.submit(one);
    return { channel: channel.id, ts: entry.message.ts };
  },

  "chat.getPermalink": (call) => {
    const channel = visibleChannel(call, call.args.channel);
    const entry = channel.byTs.get(String(call.args.message_ts));
    if (!entry) throw new SlackError("message_not_found");
    const stamp = entry.message.ts.replace(".", "");
    return { channel: channel.id, permalink: `https://${call.workspace.team.domain}.slack.com/archives/${channel.id}/p${stamp}` };
  },
};

/** Posting to a person's id opens the direct conversation with him. */
function writableChannel(call) {
  const { workspace, app, args } = call;
  const name = args.channel === undefined ? "" : String(args.channel);
  const person = workspace.people.get(name);
  const channel = person ? workspace.openDirect([app.owner, person.id]).channel : visibleChannel(call, name);
  if (channel.is_archived) throw new SlackError("is_archived");
  if (!channel.members.includes(app.owner)) throw new SlackError("not_in_channel");
  return channel;
}

function existing(call) {
  const channel = visibleChannel(call, call.args.channel);
  const entry = channel.byTs.get(String(call.args.ts ?? ""));
  if (!entry) throw new SlackError("message_not_found");
  return { channel, entry };
}

function contentOf(args) {
  const blocks = structured(args.blocks, "invalid_blocks_format");
  const problem = blocks === undefined ? null : blockProblem(blocks);
  if (problem) throw new SlackError("invalid_blocks", { errors: [problem], response_metadata: { messages: [`[ERROR] ${problem}`] } });
  const given = String(args.text ?? args.markdown_text ?? "");
  if (given.length > TEXT_LIMIT) throw new SlackError("msg_too_long");
  const text = given === "" && blocks ? textOfBlocks(blocks) : normaliseApiText(given);
  if (given.trim() === "" && !(blocks?.length > 0)) throw new SlackError("no_text");
  if (text.length > TEXT_LIMIT) throw new SlackError("msg_blocks_too_long");
  return { text, blocks: blocks?.length > 0 ? blocks : undefined };
}

/** What is wrong with these blocks, or `null`. */
function blockProblem(blocks) {
  if (!Array.isArray(blocks)) return "must be an array [json-pointer:/blocks]";
  if (blocks.length > BLOCK_LIMIT) return "no more than 50 items allowed [json-pointer:/blocks]";
  for (const [index, block] of blocks.entries()) {
    const at = `[json-pointer:/blocks/${index}]`;
    if (typeof block !== "object" || block === null) return `must be an object ${at}`;
    if (!BLOCK_TYPES.has(block.type)) return `unsupported type: ${block.type} ${at}`;
    if (String(block.block_id ?? "").length > 255) return `block_id too long ${at}`;
    if (block.type === "rich_text") {
      if (!Array.isArray(block.elements)) return `missing required field: elements ${at}`;
      const unknown = block.elements.find((element) => !RICH_TEXT_TYPES.has(element?.type) || !Array.isArray(element.elements));
      if (unknown) return `unsupported type: ${unknown?.type} ${at}`;
    }
    if (block.type === "section") {
      const length = String(block.text?.text ?? "").length;
      if (!block.fields && (length < 1 || length > 3000)) return `text must have 1 to 3000 characters ${at}`;
    }
  }
  return null;
}

function metadataOf(args) {
  const metadata = structured(args.metadata, "invalid_metadata_format");
  if (metadata === undefined) return null;
  const payload = metadata?.event_payload;
  if (typeof metadata?.event_type !== "string" || typeof payload !== "object" || payload === null) {
    throw new SlackError("invalid_metadata_schema");
  }
  if (JSON.stringify(metadata).length > METADATA_LIMIT) throw new SlackError("metadata_too_large");
  return { event_type: metadata.event_type, event_payload: payload };
}

function answered(entry) {
  return entry.metadata ? { ...entry.message, metadata: entry.metadata } : entry.message;
}
