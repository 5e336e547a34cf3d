// `files.*`: the three steps of an upload, and what becomes of files; and `emoji.list`.

import { addFile, fileObject, postFile, removeFile, sharesOf } from "../files.mjs";
import { SlackError } from "../slack-error.mjs";
import { structured, visibleChannel } from "./arguments.mjs";

export const fileMethods = {
  "files.getUploadURLExternal": ({ workspace, app, args, settings }) => {
    const length = Number(args.length);
    if (!args.filename) throw new SlackError("invalid_arguments");
    if (!Number.isSafeInteger(length) || length <= 0) throw new SlackError("invalid_arguments");
    if (settings.largestFile && length > settings.largestFile) throw new SlackError("file_upload_size_restricted");
    const file = addFile(workspace, { user: app.owner, name: String(args.filename) });
    file.announced = length;
    return { upload_url: `${workspace.filesAddress ?? workspace.address}/upload/v1/${file.id}`, file_id: file.id };
  },

  // As Slack does, it does not say where the files were posted: the message comes as an event, `files.info` knows later.
  "files.completeUploadExternal": (call) => {
    const { workspace, args, deliveries } = call;
    const named = structured(args.files, "invalid_arguments");
    if (!Array.isArray(named) || named.length === 0) throw new SlackError("invalid_arguments");
    const files = named.map(({ id }) => workspace.files.get(id));
    if (files.some((file) => !file)) throw new SlackError("file_not_found");
    if (files.some((file) => !file.uploaded)) throw new SlackError("file_not_found");
    for (const [index, file] of files.entries()) file.title = named[index].title ?? file.title;
    if (args.channel_id !== undefined) {
      const channel = visibleChannel(call, args.channel_id);
      if (channel.is_archived) throw new SlackError("is_archived");
      const thread = args.thread_ts ? String(args.thread_ts) : undefined;
      const said = { text: String(args.initial_comment ?? ""), blocks: structured(args.blocks, "invalid_blocks_format"), thread_ts: thread };
      for (const file of files) for (const one of postFile(call, channel, file, said).outgoing) deliveries.submit(one);
    }
    return { files: files.map((file) => ({ ...fileObject(workspace, file), shares: {} })) };
  },

  "files.info": ({ workspace, args }) => {
    const file = workspace.files.get(args.file);
    if (!file?.complete) throw new SlackError("file_not_found");
    return { file: { ...fileObject(workspace, file), shares: sharesOf(workspace, file) }, comments: [] };
  },

  "files.delete": (call) => {
    const { workspace, app, args, deliveries } = call;
    const file = workspace.files.get(args.file);
    if (!file) throw new SlackError("file_not_found");
    if (file.user !== app.owner) throw new SlackError("cant_delete_file");
    for (const one of removeFile(call, file)) deliveries.submit(one);
    return {};
  },

  "emoji.list": ({ workspace }) => ({ emoji: Object.fromEntries(workspace.emoji), cache_ts: String(Date.now() / 1000) }),
};
