// Many fake Slacks behind one Web API address, for tests that run at once against one server: a server knows one
// `SLACK_API_URL`, but each test wants a workspace, faults and settings of its own.
//
// `POST /_worlds` with the options of `startFakeSlack` makes a fake on a port of its own, under which its control API
// is, and answers its `{url, team}`. Calls of `/api/METHOD` here go to the fake that made their bearer token.

import { randomInt } from "node:crypto";
import http from "node:http";

import { serveFile, worldOfFile } from "./files.mjs";
import { readBody } from "./http-body.mjs";
import { startFakeSlack } from "./server.mjs";

const BODY_LIMIT = 64 * 1024;

/** Starts the common address; resolves to its `url` and `close`. */
export async function startWorlds({ port = 0 } = {}) {
  // The first one answers what nobody's token asks.
  const worlds = [await startFakeSlack({})];

  // A server outlives these worlds while a test is written, and knows teams for ever.
  const run = randomInt(1_000_000);

  // Files are here too: the token goes where the Web API is, and nowhere else.
  const address = () => `http://127.0.0.1:${server.address().port}`;
  const make = async (options) => {
    const number = run * 1000 + worlds.length;
    const team = { id: `T0${number}`, name: `Hubbub ${number}`, domain: `hubbub-${number}` };
    // A seed of its own: tokens, secrets and event ids of two workspaces must differ.
    const world = await startFakeSlack({ seed: number, team, filesAt: address(), ...options });
    worlds.push(world);
    return { url: world.url, team: world.workspace.team };
  };

  const server = http.createServer(async (request, response) => {
    try {
      const url = new URL(request.url, "http://fake.invalid");
      if (url.pathname.startsWith("/api/")) {
        await (ofToken(worlds, request) ?? worlds[0]).webApi.handle(request, response, url);
      } else if (worldOfFile(worlds, url.pathname)) {
        await serveFile(worldOfFile(worlds, url.pathname), request, response, url.pathname);
      } else if (request.method === "POST" && url.pathname === "/_worlds") {
        const body = await readBody(request, BODY_LIMIT);
        answer(response, 200, { ok: true, ...(await make(body ? JSON.parse(body) : {})) });
      } else {
        answer(response, 404, { ok: false, error: "only /api/METHOD and POST /_worlds are here" });
      }
    } catch (error) {
      process.stderr.write(`worlds: ${error.stack}\n`);
      response.destroy();
    }
  });
  server.keepAliveTimeout = 600_000;
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const close = async () => {
    server.closeAllConnections();
    await Promise.all([new Promise((resolve) => server.close(resolve)), ...worlds.map((world) => world.close())]);
  };
  return { url: address(), close };
}

function ofToken(worlds, request) {
  const token = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  return token && worlds.find((world) => world.workspace.tokens.has(token));
}

function answer(response, status, body) {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  response.end(JSON.stringify(body));
}
