// Files: their bytes, their objects, and the two addresses outside of the Web API, where bytes go up and come down.

import { createHash } from "node:crypto";

import { nowSeconds } from "./timestamps.mjs";

const UPLOAD_LIMIT = 256 * 1024 * 1024;
const LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Sign in | Slack</title></head><body>Sign in to continue</body></html>";
const TYPES = { png: "image/png", jpg: "image/jpeg", gif: "image/gif", mp4: "video/mp4", m4a: "audio/mp4", pdf: "application/pdf", txt: "text/plain" };

/** Makes a file that nobody sees yet. `more` are raw fields laid over its object. */
export function addFile(workspace, { user, name, title, mimetype, bytes = Buffer.alloc(0), not_ready: notReady = 0, more = {} }) {
  const file = {
    id: workspace.random.ids.id("F", 10),
    user,
    name,
    title: title ?? name,
    mimetype: mimetype ?? TYPES[name.split(".").at(-1).toLowerCase()] ?? "application/octet-stream",
    created: nowSeconds(),
    bytes,
    shares: [],
    complete: false,
    notReady,
    more,
  };
  workspace.files.set(file.id, file);
  workspace.changed();
  return file;
}

/** Bytes that can be told apart, so many of them. */
export function pattern(size) {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 4096) bytes.writeUInt32LE((at * 2_654_435_761) % 2 ** 32, Math.min(at, Math.max(0, size - 4)));
  return bytes;
}

export function digest(file) {
  return createHash("sha256").update(file.bytes).digest("hex");
}

/** A file as messages and `files.info` show one. */
export function fileObject(workspace, file) {
  const at = `${workspace.filesAddress ?? workspace.address}/files-pri/${workspace.team.id}-${file.id}`;
  const path = encodeURIComponent(file.name.toLowerCase().replaceAll(" ", "_"));
  const type = file.name.split(".").at(-1).toLowerCase();
  return {
    id: file.id,
    created: file.created,
    timestamp: file.created,
    name: file.name,
    title: file.title,
    mimetype: file.mimetype,
    filetype: type,
    pretty_type: type.toUpperCase(),
    user: file.user,
    user_team: workspace.team.id,
    editable: false,
    size: file.bytes.length,
    mode: "hosted",
    is_external: false,
    external_type: "",
    is_public: true,
    public_url_shared: false,
    display_as_bot: false,
    username: "",
    url_private: `${at}/${path}`,
    url_private_download: `${at}/download/${path}`,
    permalink: `https://${workspace.team.domain}.slack.com/files/${file.user}/${file.id}/${path}`,
    permalink_public: `https://slack-files.com/${workspace.team.id}-${file.id}-0123456789`,
    has_rich_preview: false,
    file_access: "visible",
    ...file.more,
  };
}

/** Where a file was posted, as `files.info` tells it. */
export function sharesOf(workspace, file) {
  const shares = {};
  for (const { channel, ts, thread_ts: thread } of file.shares) {
    const kind = workspace.channels.get(channel)?.kind === "public" ? "public" : "private";
    shares[kind] ??= {};
    shares[kind][channel] ??= [];
    shares[kind][channel].push({ reply_users: [], reply_users_count: 0, reply_count: 0, ts, ...(thread ? { thread_ts: thread } : {}) });
  }
  return shares;
}

/** Posts a file in a channel; the envelopes go out when the caller says so. */
export function postFile(world, channel, file, { text = "", thread_ts: thread, blocks }) {
  const { workspace, posting } = world;
  const { entry, outgoing } = posting.post(channel, {
    user: file.user,
    text,
    blocks,
    thread_ts: thread,
    subtype: "file_share",
    extra: { files: [fileObject(workspace, file)], upload: false, display_as_bot: false },
  });
  file.complete = true;
  file.shares.push({ channel: channel.id, ts: entry.message.ts, thread_ts: thread });
  workspace.changed();
  return { entry, outgoing };
}

/** A file goes, and with it the messages that showed nothing else. */
export function removeFile(world, file) {
  const { workspace, posting } = world;
  workspace.files.delete(file.id);
  const outgoing = [];
  for (const { channel: id, ts } of file.shares) {
    const channel = workspace.channels.get(id);
    const entry = channel?.byTs.get(ts);
    if (!entry) continue;
    const others = entry.message.files.filter((other) => other.id !== file.id);
    if (others.length === 0 && entry.message.text === "") outgoing.push(...posting.remove(channel, entry));
    else {
      const previous = structuredClone(entry.message);
      entry.message.files = [...others, { id: file.id, mode: "tombstone" }];
      outgoing.push(...posting.changed(channel, entry, previous, workspace.nextTs(channel)));
    }
  }
  workspace.changed();
  return outgoing;
}

/** Answers `/files-pri/…` and `/upload/v1/…`; false when the path is neither. */
export async function serveFile(world, request, response, pathname) {
  const down = /^\/files-pri\/\w+-(F\w+)\//.exec(pathname);
  if (down) {
    serveDownload(world, request, response, world.workspace.files.get(down[1]));
    return true;
  }
  const up = /^\/upload\/v1\/(F\w+)$/.exec(pathname);
  if (!up) return false;
  await takeUpload(world, request, response, world.workspace.files.get(up[1]));
  return true;
}

function serveDownload({ workspace }, request, response, file) {
  const token = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  const live = workspace.tokens.get(token ?? "")?.state === "live";
  if (!file) {
    response.writeHead(404, { "content-type": "text/html; charset=utf-8" });
    response.end("<!DOCTYPE html><title>Not found</title>");
    return;
  }
  if (!live || file.notReady > 0) {
    if (live) file.notReady -= 1;
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(LOGIN_PAGE);
    return;
  }
  response.writeHead(200, { "content-type": file.mimetype, "content-length": file.bytes.length });
  response.end(file.bytes);
}

async function takeUpload({ workspace, faults }, request, response, file) {
  const fault = faults.next("upload");
  if (fault.kind === "close") return request.destroy();
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= UPLOAD_LIMIT) chunks.push(chunk);
  }
  const refuse = (status, words) => {
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
    response.end(words);
  };
  if (fault.kind === "http") return refuse(fault.status ?? 503, "not now");
  if (!file || file.complete) return refuse(404, "no such upload");
  const bytes = await fileIn(request.headers["content-type"] ?? "", Buffer.concat(chunks));
  if (bytes.length !== file.announced) return refuse(400, `${file.announced} bytes were announced, ${bytes.length} came`);
  file.bytes = bytes;
  file.uploaded = true;
  workspace.changed();
  return refuse(200, `OK - ${size}`);
}

/** The address takes the bytes as they are, or in a form. */
async function fileIn(type, body) {
  if (!type.startsWith("multipart/form-data")) return body;
  const form = await new Response(body, { headers: { "content-type": type } }).formData();
  const file = [...form.values()].find((value) => typeof value !== "string");
  return Buffer.from((await file?.arrayBuffer()) ?? []);
}

/** The one of many worlds whose file a path names. */
export function worldOfFile(worlds, pathname) {
  const id = /^\/(?:files-pri\/\w+-|upload\/v1\/)(F\w+)/.exec(pathname)?.[1];
  return id && worlds.find((world) => world.workspace.files.has(id));
}

export function saveFiles(files) {
  return [...files.values()].map(({ bytes, ...file }) => ({ ...file, base64: bytes.toString("base64") }));
}

export function loadFiles(saved = []) {
  return new Map(saved.map(({ base64, ...file }) => [file.id, { ...file, bytes: Buffer.from(base64, "base64") }]));
}
