// What is done in JavaScript because one call across the border of WebAssembly costs as much as all of it:
// exchanging whole messages, and settling promises when the program's memory is lost.

/**
 * Reads a request: [method, URL, headers as JSON, body or null]; null when the body has more than `limit` bytes. Under the
 * path `streamed` the body is left alone: it is [..., stream, its length or -1].
 */
export async function readRequest(request, limit, streamed) {
  const { method, url, headers } = request;
  let body = null;
  if (request.body !== null) {
    if (url.startsWith(streamed, url.indexOf("/", 8))) {
      return [method, url, JSON.stringify([...headers]), request.body, Number(headers.get("content-length") ?? -1)];
    }
    const length = headers.get("content-length");
    if (length !== null && Number(length) > limit) return null;
    body = length === null ? await readChunks(request.body, limit) : await request.arrayBuffer();
    if (body === null) return null;
  }
  return [method, url, JSON.stringify([...headers]), body];
}

/** A body whose length nobody told. */
async function readChunks(stream, limit) {
  const chunks = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.byteLength;
    if (length > limit) return null;
    chunks.push(chunk);
  }
  return new Blob(chunks).arrayBuffer();
}

/** A response from its status, headers as a JSON list of pairs, and body. */
export function makeResponse(status, headers, body) {
  const empty = status === 204 || status === 304;
  return new Response(empty ? null : body, { status, headers: JSON.parse(headers) });
}

/** A response whose body is a stream of so many bytes. Its client may go away at any time. */
export function streamResponse(status, headers, stream, length) {
  const { readable, writable } = new FixedLengthStream(length);
  stream.pipeTo(writable).catch(() => {});
  return new Response(readable, { status, headers: JSON.parse(headers) });
}

/**
 * Sends a request whose body may be a stream of `length` bytes (-1: there is none): [status, headers as JSON, stream or
 * null, its length or -1]. After `timeout` milliseconds nothing of it goes on. `fetcher` is undefined for the global `fetch`.
 */
export async function openExchange(fetcher, method, url, headers, body, length, timeout) {
  const init = { method, headers: JSON.parse(headers), redirect: "manual", signal: AbortSignal.timeout(timeout) };
  if (length >= 0 && body !== null) {
    const { readable, writable } = new FixedLengthStream(length);
    // Where the sender breaks off, the exchange fails.
    body.pipeTo(writable).catch(() => {});
    init.body = readable;
  }
  const answer = await (fetcher ?? globalThis).fetch(url, init);
  const told = answer.headers.get("content-encoding") === null ? answer.headers.get("content-length") : null;
  return [answer.status, JSON.stringify([...answer.headers]), answer.body, Number(told ?? -1)];
}

/** A stream between two buffers. What reads it may go away at any time. */
export function frameStream(stream, before, after) {
  const { readable, writable } = new IdentityTransformStream();
  const write = async (bytes, ends) => {
    const writer = writable.getWriter();
    await writer.write(bytes);
    if (ends) await writer.close();
    else writer.releaseLock();
  };
  write(before, false)
    .then(() => stream.pipeTo(writable, { preventClose: true }))
    .then(() => write(after, true))
    .catch((error) => writable.abort(error).catch(() => {}));
  return readable;
}

/** A whole stream as a buffer; null when it is longer than `limit`. */
export async function readStream(stream, limit) {
  return readChunks(stream, limit);
}

/** Text in any encoding of the Encoding Standard; undefined for a label that it does not know. */
export function decodeAs(label, bytes) {
  try {
    return new TextDecoder(label).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Sends a command to an object: [status, reply, its bill or null]. `billed` asks for the bill. */
export async function callObject(namespace, name, options, command, billed) {
  const init = { method: "POST", body: command };
  if (billed) init.headers = { "x-hubbub-bill": "object" };
  const response = await namespace.getByName(name, options).fetch("http://object/", init);
  return [response.status, await response.arrayBuffer(), response.headers.get("x-hubbub-operations")];
}

const sockets = new Set();

/** How long it may take until a socket is open. */
const OPENING_MS = 15_000;

/**
 * A WebSocket to another server. What comes waits until it is asked for; a text of more than `longest` is left out, and
 * when more than `most` waits, the socket is closed.
 */
export class OutgoingSocket {
  #queue = [];
  #waiting = 0;
  #wake = null;
  #socket = null;
  #over = false;

  constructor(url, longest, most) {
    sockets.add(this);
    const timer = setTimeout(() => this.close(4000), OPENING_MS);
    this.#open(url, longest, most)
      .catch(() => this.#end(1006))
      .finally(() => clearTimeout(timer));
  }

  async #open(url, longest, most) {
    const { webSocket: socket } = await fetch(url, { headers: { upgrade: "websocket" } });
    if (!socket) return this.#end(1006);
    socket.accept();
    if (this.#over) return socket.close(4000);
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      if (typeof data !== "string" || this.#over) return;
      if (data.length > longest) {
        console.warn(`WARN A text of ${data.length} from a socket was left out`);
        return;
      }
      this.#waiting += data.length;
      if (this.#waiting > most) this.close(4000);
      else this.#put(data);
    });
    socket.addEventListener("close", ({ code }) => this.#end(code || 1006));
    socket.addEventListener("error", () => this.#end(1006));
    this.#put(0);
  }

  #put(told) {
    this.#queue.push(told);
    this.#wake?.();
  }

  #end(code) {
    if (this.#over) return;
    this.#over = true;
    sockets.delete(this);
    this.#put(code);
  }

  /** 0 once it is open, a text, or the code of the close, after which nothing comes. */
  async next() {
    if (this.#queue.length === 0) {
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    const told = this.#queue.shift();
    if (typeof told === "string") this.#waiting -= told.length;
    return told;
  }

  send(text) {
    if (this.#over || this.#socket === null) return false;
    try {
      this.#socket.send(text);
      return true;
    } catch {
      return false;
    }
  }

  close(code) {
    this.#end(code);
    try {
      this.#socket?.close(code);
    } catch {
      // It is closed already, or belongs to an object that is no more.
    }
  }
}

const inFlight = new Set();

/** The same promise, but rejected by `instanceIsLost`: what it waits for may never settle. */
export function hold(work) {
  return new Promise((resolve, reject) => {
    inFlight.add(reject);
    const settle = (how) => (value) => {
      inFlight.delete(reject);
      how(value);
    };
    work.then(settle(resolve), settle(reject));
  });
}

/** The answer to a request from outside: where it is lost, one that a client understands and tries again. */
export function holdAnswer(work) {
  return hold(work).catch((error) => {
    console.error(`ERROR A request was lost: ${error.message}`);
    const body = JSON.stringify({ errcode: "M_UNKNOWN", error: "The server was interrupted; try again." });
    const headers = { "content-type": "application/json", "access-control-allow-origin": "*" };
    return new Response(body, { status: 500, headers });
  });
}

/**
 * The program's memory is lost: every promise that is held is rejected, and the next request starts a new instance
 * (`worker-build`'s shim does, on this flag).
 */
export function instanceIsLost() {
  globalThis.__worker_init_state.criticalError = true;
  const lost = [...inFlight];
  inFlight.clear();
  // Whoever listened is gone: who opens the next one resumes.
  for (const socket of [...sockets]) socket.close(4000);
  for (const reject of lost) reject(new Error("this isolate was reset"));
}
