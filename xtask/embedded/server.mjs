// The embedded server: Miniflare on workerd, with the Worker on a direct socket (no proxy in the request path).
// `xtask/src/embedded.rs` starts this and speaks JSON lines with it: the options are the first line on stdin (so that no secret
// is in an argument or the environment), commands follow; events go to stdout, logs to stderr. The end of stdin means that
// the launcher is gone, and stops the server.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Log, LogLevel, Miniflare } from "miniflare";
import { startCrons } from "./cron.mjs";
import { migrate } from "./migrate.mjs";

class StderrLog extends Log {
  log(message) {
    console.error(message);
  }
}

const log = (message) => console.error(`[embedded] ${message}`);
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
// Stdout carries events only.
console.log = console.error;

let miniflare;
let stopping = false;

async function stop(code) {
  if (stopping) return;
  stopping = true;
  try {
    await miniflare?.dispose();
  } catch (error) {
    log(`while stopping: ${error.message}`);
  }
  process.exit(code);
}

function workerModules(folder) {
  const files = readdirSync(folder).filter((name) => /\.(?:wasm|js)$/.test(name));
  // The first module is the entry.
  const ordered = ["index.js", ...files.filter((name) => name !== "index.js")];
  return ordered.map((name) => ({
    type: name.endsWith(".wasm") ? "CompiledWasm" : "ESModule",
    path: join(folder, name),
    contents: readFileSync(join(folder, name)),
  }));
}

function miniflareOptions(options) {
  return {
    name: options.name,
    modules: workerModules(options.worker),
    modulesRoot: options.worker,
    compatibilityDate: options.compatibilityDate,
    compatibilityFlags: options.compatibilityFlags,
    bindings: options.bindings,
    d1Databases: options.d1,
    kvNamespaces: options.kv,
    r2Buckets: options.r2,
    durableObjects: options.objects,
    ratelimits: options.ratelimits,
    // workerd's own check of the address it connects to, after DNS: a name that resolves to a private address is refused too.
    serviceBindings: Object.fromEntries(
      options.publicFetch.map((name) => [
        name,
        { network: { allow: options.publicFetchAllows, deny: [], tlsOptions: { trustBrowserCas: true } } },
      ]),
    ),
    unsafeDirectSockets: [{ host: options.host, port: options.port }],
    host: "127.0.0.1",
    port: 0,
    defaultPersistRoot: options.state,
    cf: false,
    telemetry: { enabled: false },
    log: new StderrLog(LogLevel.WARN),
    handleRuntimeStdio(stdout, stderr) {
      stdout.pipe(process.stderr, { end: false });
      stderr.pipe(process.stderr, { end: false });
    },
  };
}

async function tick(cron, time) {
  // Ask anew each time: a handle from before workerd was restarted throws for ever.
  const worker = await miniflare.getWorker();
  const { outcome } = await worker.scheduled({ cron, scheduledTime: new Date(time) });
  if (outcome !== "ok") throw new Error(`outcome ${outcome}`);
}

async function start(options) {
  miniflare = new Miniflare(miniflareOptions(options));
  await miniflare.ready;
  for (const [binding, migrations] of Object.entries(options.migrations)) {
    const applied = await migrate(await miniflare.getD1Database(binding), migrations);
    say({ event: "migrated", binding, applied });
  }
  say({ event: "started" });
  if (options.tickCrons) startCrons({ crons: options.crons, path: options.cronState, tick, log });
}

async function obey(command) {
  switch (command.do) {
    case "stop":
      return stop(0);
    case "tick":
      try {
        await tick(command.cron, command.time ?? Date.now());
        return say({ event: "ticked", cron: command.cron });
      } catch (error) {
        return say({ event: "failed", message: `cron "${command.cron}": ${error.message}` });
      }
    default:
      return log(`unknown command ${command.do}`);
  }
}

process.on("SIGINT", () => stop(0));
process.on("SIGTERM", () => stop(0));
process.on("SIGHUP", () => stop(0));

const lines = createInterface({ input: process.stdin });
let started;
lines.on("line", (line) => {
  const message = JSON.parse(line);
  if (started === undefined) {
    started = start(message).catch((error) => {
      say({ event: "failed", message: error.message });
      return stop(1);
    });
  } else {
    started.then(() => obey(message));
  }
});
lines.on("close", () => stop(0));
