// Files to R2 and back. Their bytes pass here, in pieces, and never enter the program's memory, which would not shrink again.

/** How much is read at once. */
const PIECE = 64 * 1024;
/** The size of all parts but the last of an upload whose length nobody told. R2 wants at least 5 MiB. */
const PART = 8 * 1024 * 1024;

/** What the sender of a body did, as opposed to what the store did. */
class BrokenOff extends Error {
  name = "BrokenOff";
}

const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Reads a body in pieces; each is valid until the next one is asked for. */
async function* pieces(body) {
  const reader = body.getReader({ mode: "byob" });
  try {
    let buffer = new ArrayBuffer(PIECE);
    for (;;) {
      const { value, done } = await reader.readAtLeast(PIECE, new Uint8Array(buffer));
      if (value !== undefined && value.byteLength > 0) {
        yield value;
        buffer = value.buffer;
      }
      if (done) return;
    }
  } catch (error) {
    throw new BrokenOff(error.message);
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Stores bytes that are in memory: [size, SHA-256, operations that are billed]. */
export async function putBytes(bucket, key, bytes) {
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  await bucket.put(key, bytes);
  return [bytes.byteLength, hex(hash), 1];
}

/**
 * Stores a stream and hashes it on the way: as `putBytes`, or null when it has more than `limit` bytes, with nothing stored.
 * `length` is -1 when nobody told it.
 */
export async function putStream(bucket, key, body, length, limit) {
  if (length > limit) return null;
  const digest = new crypto.DigestStream("SHA-256");
  const hash = digest.getWriter();
  // Where the upload fails nobody asks for the digest.
  digest.digest.catch(() => {});
  const store = length > 0 ? new KnownLength(bucket, key, length) : new Parts(bucket, key);
  let size = 0;
  try {
    for await (const piece of pieces(body)) {
      size += piece.byteLength;
      if (size > limit) {
        await store.abort();
        return null;
      }
      await hash.write(piece);
      await store.write(piece);
    }
    if (length > 0 && size !== length) throw new BrokenOff(`${size} of ${length} bytes came`);
    await store.close();
    await hash.close();
    return [size, hex(await digest.digest), store.operations];
  } catch (error) {
    await hash.abort().catch(() => {});
    await store.abort();
    throw error;
  }
}

/** One object, streamed: R2 wants to know its length before. */
class KnownLength {
  operations = 1;
  #writer;
  #stored;
  #failed;

  constructor(bucket, key, length) {
    const { readable, writable } = new FixedLengthStream(length);
    this.#writer = writable.getWriter();
    this.#stored = bucket.put(key, readable);
    this.#failed = new Promise((_, reject) => this.#stored.catch(reject));
    this.#failed.catch(() => {});
  }

  async write(piece) {
    // A store that failed reads no further.
    await Promise.race([this.#writer.write(piece), this.#failed]);
  }

  async close() {
    await Promise.race([this.#writer.close(), this.#failed]);
    await this.#stored;
  }

  async abort() {
    await this.#writer.abort(new Error("the upload failed")).catch(() => {});
    await this.#stored.catch(() => {});
  }
}

/** One object in parts of a fixed size, the first of which is stored as a whole if there is no second. */
class Parts {
  operations = 1;
  #bucket;
  #key;
  #upload = null;
  #parts = [];
  #buffer = null;
  #filled = 0;

  constructor(bucket, key) {
    this.#bucket = bucket;
    this.#key = key;
  }

  async write(piece) {
    this.#buffer ??= new Uint8Array(PART);
    let rest = piece;
    while (rest.byteLength > 0) {
      if (this.#filled === PART) await this.#flush();
      const fits = rest.subarray(0, PART - this.#filled);
      this.#buffer.set(fits, this.#filled);
      this.#filled += fits.byteLength;
      rest = rest.subarray(fits.byteLength);
    }
  }

  async #flush() {
    if (this.#upload === null) {
      this.#upload = await this.#bucket.createMultipartUpload(this.#key);
      // Its completion is the other one.
      this.operations += 1;
    }
    this.operations += 1;
    const part = this.#buffer.subarray(0, this.#filled);
    this.#parts.push(await this.#upload.uploadPart(this.#parts.length + 1, part));
    this.#filled = 0;
  }

  async close() {
    if (this.#upload === null) {
      await this.#bucket.put(this.#key, this.#buffer?.subarray(0, this.#filled) ?? new Uint8Array());
      return;
    }
    if (this.#filled > 0) await this.#flush();
    await this.#upload.complete(this.#parts);
  }

  async abort() {
    await this.#upload?.abort().catch(() => {});
  }
}

/** An object, or `length` bytes of it from `offset` on (-1: all): [stream, how many bytes]; null when there is none. */
export async function getBlob(bucket, key, offset, length) {
  const object = await bucket.get(key, length < 0 ? {} : { range: { offset, length } });
  if (object === null) return null;
  return [object.body, length < 0 ? object.size : length];
}

/** Deletes objects, also those that are not there. */
export async function deleteBlobs(bucket, keys) {
  await bucket.delete(JSON.parse(keys));
}
