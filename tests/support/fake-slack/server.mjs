// Puts the parts together behind one loopback HTTP server. Open next: `web-api.mjs` for what Slack does,
// `control.mjs` for what tests do to it, `deliveries.mjs` for the webhooks.

import http from "node:http";

import { handleControl } from "./control.mjs";
import { Deliveries } from "./deliveries.mjs";
import { Demo } from "./demo.mjs";
import { Faults, RateLimit } from "./faults.mjs";
import { serveFile } from "./files.mjs";
import { servePicture } from "./pictures.mjs";
import { Posting } from "./posting.mjs";
import { SavedState } from "./saved-state.mjs";
import { seedWorkspace } from "./seed.mjs";
import { WebApi } from "./web-api.mjs";
import { Workspace } from "./workspace.mjs";

export const DEFAULTS = {
  port: 0,
  seed: 1,
  postRate: 50,
  postBurst: undefined,
  faults: 0,
  demo: false,
  demoInterval: 4000,
  retryDelays: [0, 60_000, 300_000],
  retryForever: false,
  ackTimeout: 3000,
  parallel: 32,
  duplicate: false,
  echoMetadata: true,
  raggedPages: false,
  state: undefined,
  team: undefined,
  filesAt: undefined,
};

/** Starts a fake Slack; resolves to its `url`, its parts, and `close`. */
export async function startFakeSlack(options = {}) {
  const given = { ...DEFAULTS, ...options };
  const saved = new SavedState(given.state);
  const before = saved.load();
  const workspace = before ? Workspace.load(before.workspace) : new Workspace(given.seed, given.team);
  if (!before) seedWorkspace(workspace);

  const world = makeWorld(workspace, given);
  if (before) world.deliveries.load(before.deliveries);
  const collect = () => ({ workspace: workspace.save(), deliveries: world.deliveries.save() });
  workspace.onChange = () => saved.soon(collect);

  const server = http.createServer((request, response) => {
    route(world, request, response).catch((error) => {
      process.stderr.write(`fake-slack: ${error.stack}\n`);
      response.destroy();
    });
  });
  // A caller's pooled connection must not die of idleness: only faults close connections here.
  server.keepAliveTimeout = 600_000;
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(given.port, "127.0.0.1", resolve);
  });
  // Before anybody can ask for a person, whose pictures are here too.
  const url = `http://127.0.0.1:${server.address().port}`;
  workspace.address = url;
  workspace.filesAddress = given.filesAt;
  world.demo.run(given.demo);

  const close = async () => {
    world.demo.run(false);
    world.deliveries.close();
    saved.now(collect);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { ...world, url, close };
}

function makeWorld(workspace, given) {
  const settings = {
    postRate: given.postRate,
    postBurst: given.postBurst ?? Math.max(1, Math.ceil(given.postRate)),
    echoMetadata: given.echoMetadata,
    raggedPages: given.raggedPages,
    editWindowClosed: false,
    largestFile: 0,
  };
  const world = {
    workspace,
    settings,
    deliveries: new Deliveries(workspace, given),
    posting: new Posting(workspace, settings),
    faults: new Faults(workspace.random.faults, given.faults),
    rateLimit: new RateLimit(settings),
  };
  world.webApi = new WebApi(world);
  world.demo = new Demo(world, given.demoInterval);
  return world;
}

async function route(world, request, response) {
  const url = new URL(request.url, "http://fake.invalid");
  if (url.pathname.startsWith("/api/")) await world.webApi.handle(request, response, url);
  else if (url.pathname.startsWith("/_control/")) await handleControl(world, request, response, url);
  else if (!servePicture(response, url.pathname) && !(await serveFile(world, request, response, url.pathname))) {
    response.writeHead(404, { "content-type": "text/plain; charset=utf-8" });
    response.end("A fake Slack: /api/METHOD is the Web API, /_control/ moves it (see tests/support/README.md).\n");
  }
}
