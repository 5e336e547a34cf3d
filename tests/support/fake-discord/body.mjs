// Reads request bodies: JSON, and multipart with `payload_json` and `files[n]`.

const LIMIT = 25 * 1024 * 1024;

/** `{json, files: [{index, filename, type, bytes}]}`; `undefined` for what is no such body. */
export async function readBody(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= LIMIT) chunks.push(chunk);
  }
  if (size > LIMIT) return { tooLarge: true };
  const bytes = Buffer.concat(chunks);
  const type = request.headers["content-type"] ?? "";
  try {
    const boundary = /^multipart\/form-data; *boundary="?([^";]+)"?/i.exec(type)?.[1];
    if (boundary) return multipart(bytes, boundary);
    return { json: bytes.length > 0 ? JSON.parse(bytes.toString("utf8")) : {}, files: [] };
  } catch {
    return undefined;
  }
}

function multipart(bytes, boundary) {
  const mark = Buffer.from(`--${boundary}`);
  const read = { json: {}, files: [] };
  let at = bytes.indexOf(mark);
  while (at >= 0) {
    const next = bytes.indexOf(mark, at + mark.length);
    if (next < 0) break;
    const part = bytes.subarray(at + mark.length + 2, next - 2);
    const split = part.indexOf("\r\n\r\n");
    const head = part.subarray(0, split).toString("utf8");
    const content = part.subarray(split + 4);
    const name = /name="([^"]*)"/.exec(head)?.[1] ?? "";
    const filename = /filename="([^"]*)"/.exec(head)?.[1];
    if (name === "payload_json") read.json = JSON.parse(content.toString("utf8"));
    else if (filename !== undefined) {
      const type = /content-type: *([^\r\n]+)/i.exec(head)?.[1] ?? "application/octet-stream";
      read.files.push({ index: Number(/\d+/.exec(name)?.[0] ?? 0), filename, type, bytes: Buffer.from(content) });
    }
    at = next;
  }
  return read;
}
