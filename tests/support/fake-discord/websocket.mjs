// The server's half of a WebSocket (RFC 6455), as far as a gateway needs it: text frames, ping, close codes.

import { createHash } from "node:crypto";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const LIMIT = 1 << 20;

/** Accepts an upgrade; `onText` and `onClose(code)` are called with what the client does. */
export function acceptWebSocket(request, socket, { onText, onClose }) {
  const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + GUID).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let buffered = Buffer.alloc(0);
  let pieces = [];
  let closed = false;

  const end = (code) => {
    if (closed) return;
    closed = true;
    onClose(code);
  };
  const write = (opcode, payload) => {
    if (socket.destroyed) return;
    const head = payload.length < 126 ? Buffer.from([0x80 | opcode, payload.length]) : longHead(opcode, payload.length);
    socket.write(Buffer.concat([head, payload]));
  };
  const take = (opcode, final, payload) => {
    if (opcode === 8) {
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      write(8, payload.subarray(0, 2));
      socket.end();
      end(code);
    } else if (opcode === 9) write(10, payload);
    else if (opcode === 0 || opcode === 1 || opcode === 2) {
      pieces.push(payload);
      if (!final) return;
      const text = Buffer.concat(pieces).toString("utf8");
      pieces = [];
      onText(text);
    }
  };

  socket.on("data", (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    for (;;) {
      const frame = readFrame(buffered);
      if (frame === undefined) break;
      buffered = buffered.subarray(frame.length);
      take(frame.opcode, frame.final, frame.payload);
    }
    if (buffered.length > LIMIT) socket.destroy();
  });
  socket.on("close", () => end(1006));
  socket.on("error", () => end(1006));

  return {
    send: (text) => write(1, Buffer.from(text)),
    /** Closes with a code, after which the client may still be heard for a moment. */
    close(code) {
      const payload = Buffer.alloc(2);
      payload.writeUInt16BE(code);
      write(8, payload);
      end(code);
      setTimeout(() => socket.destroy(), 200).unref();
    },
    /** Cuts the line without a word. */
    cut: () => socket.destroy(),
  };
}

function longHead(opcode, length) {
  if (length < 65_536) {
    const head = Buffer.from([0x80 | opcode, 126, 0, 0]);
    head.writeUInt16BE(length, 2);
    return head;
  }
  const head = Buffer.alloc(10);
  head[0] = 0x80 | opcode;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

function readFrame(bytes) {
  if (bytes.length < 2) return undefined;
  let at = 2;
  let length = bytes[1] & 0x7f;
  if (length === 126) {
    if (bytes.length < 4) return undefined;
    length = bytes.readUInt16BE(2);
    at = 4;
  } else if (length === 127) {
    if (bytes.length < 10) return undefined;
    length = Number(bytes.readBigUInt64BE(2));
    at = 10;
  }
  const masked = (bytes[1] & 0x80) !== 0;
  const start = at + (masked ? 4 : 0);
  if (bytes.length < start + length) return undefined;
  const payload = Buffer.from(bytes.subarray(start, start + length));
  if (masked) for (let index = 0; index < length; index += 1) payload[index] ^= bytes[at + (index % 4)];
  return { opcode: bytes[0] & 0x0f, final: (bytes[0] & 0x80) !== 0, payload, length: start + length };
}
