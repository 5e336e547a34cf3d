// Puts the parts together behind one loopback HTTP server. Open next: `rest.mjs` and `gateway.mjs` for what Discord does,
// `control.mjs` for what tests do to it.

import http from "node:http";

import { handleControl } from "./control.mjs";
import { Gateway } from "./gateway.mjs";
import { Rest } from "./rest.mjs";
import { World } from "./world.mjs";

export const DEFAULTS = {
  port: 0,
  heartbeatInterval: 41_250,
  rateLimit: 1000,
  rateWindow: 1000,
  /** The privileged intents that the developer portal allows: members and message contents. */
  allowedIntents: (1 << 1) | (1 << 8) | (1 << 15),
  held: false,
};

/** Starts a fake Discord; resolves to its `url`, its parts, and `close`. */
export async function startFakeDiscord(options = {}) {
  const settings = { ...DEFAULTS, ...options };
  const world = new World();
  const gateway = new Gateway(world, settings);
  const rest = new Rest(world, gateway, settings);
  const fake = { world, gateway, rest, settings, url: () => world.url };
  seed(world);
  const server = http.createServer((request, response) => {
    route(fake, request, response).catch((error) => {
      process.stderr.write(`fake-discord: ${error.stack}\n`);
      response.destroy();
    });
  });
  server.on("upgrade", (request, socket) => gateway.accept(request, socket));
  server.keepAliveTimeout = 600_000;
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(settings.port, "127.0.0.1", resolve);
  });
  world.url = `http://127.0.0.1:${server.address().port}`;
  const close = async () => {
    gateway.end();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { ...fake, url: world.url, close };
}

function seed(world) {
  const people = ["robin", "ana", "bjorn", "chidi"].map((name) => world.addUser(name, { global_name: name[0].toUpperCase() + name.slice(1) }));
  const guild = world.addGuild("Hubbub", people);
  const category = world.addChannel(guild, "talk", { type: 4 });
  world.addChannel(guild, "general", { parent_id: category.id, topic: "About everything" });
  world.addChannel(guild, "random", { parent_id: category.id });
  world.addChannel(guild, "ideas", { type: 15 });
  world.addEmoji(guild, "party");
  world.addEmoji(guild, "wave", true);
}

async function route(fake, request, response) {
  const url = new URL(request.url, "http://fake.invalid");
  if (url.pathname.startsWith("/api/")) return fake.rest.handle(request, response, url);
  if (url.pathname.startsWith("/_control/")) return handleControl(fake, request, response, url);
  const file = /^\/attachments\/\d+\/(\d+)\//.exec(url.pathname);
  const stored = file && fake.world.files.get(file[1]);
  // An address that has expired gives nothing.
  if (stored && parseInt(url.searchParams.get("ex") ?? "0", 16) * 1000 > Date.now()) {
    response.writeHead(200, { "content-type": stored.type });
    return response.end(stored.bytes);
  }
  response.writeHead(404, { "content-type": "text/plain; charset=utf-8" });
  return response.end("A fake Discord: /api/v10/ is REST, a WebSocket anywhere the gateway, /_control/ moves it.\n");
}
