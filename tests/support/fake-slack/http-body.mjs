// Reading a request's body whole, up to a limit.

/** The body as text, or `null` when it is larger than `limit` bytes (the rest is read and thrown away). */
export async function readBody(request, limit) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
  }
  return size <= limit ? Buffer.concat(chunks).toString("utf8") : null;
}
