// People's pictures: symmetric patterns made from their ids, as PNG.

import { createHash } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";

const CELLS = 5;
const MARGIN = 1;

/** Answers `…/pictures/ID-SIZE.png`; false when the path is none. */
export function servePicture(response, pathname) {
  const found = /\/pictures\/(\w+)-(\d{1,3})\.png$/.exec(pathname);
  if (!found) return false;
  response.writeHead(200, { "content-type": "image/png" });
  response.end(picture(found[1], Number(found[2])));
  return true;
}

/** The picture of an id, so many pixels wide and high. */
export function picture(id, size) {
  const bytes = createHash("sha256").update(id).digest();
  const colour = hue(bytes[0] / 256);
  const isFilled = (row, column) => bytes[1 + row * 3 + Math.min(column, CELLS - 1 - column)] % 2 === 1;
  const cell = (pixel) => Math.floor((pixel * (CELLS + 2 * MARGIN)) / size) - MARGIN;
  const rows = [];
  for (let y = 0; y < size; y++) {
    // Each row starts with its filter: none.
    rows.push(0);
    for (let x = 0; x < size; x++) {
      const [row, column] = [cell(y), cell(x)];
      const inside = Math.min(row, column) >= 0 && Math.max(row, column) < CELLS;
      rows.push(...(inside && isFilled(row, column) ? colour : [238, 240, 242]));
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  // Eight bits a channel, RGB.
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const data = deflateSync(Buffer.from(rows));
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** A colour of the wheel, of middling brightness. */
function hue(turn) {
  return [0, 1 / 3, 2 / 3].map((shift) => Math.round(128 + 90 * Math.cos(2 * Math.PI * (turn + shift))));
}
