#!/usr/bin/env node
// Many fake Slacks behind one Web API address: see `fake-slack/worlds.mjs`.
//
// node slack-worlds.mjs [--port N]     prints "ready http://127.0.0.1:PORT" once it listens

import { parseArgs } from "node:util";

import { startWorlds } from "./fake-slack/worlds.mjs";

const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
const worlds = await startWorlds({ port: Number(values.port) });
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    worlds.close().finally(() => process.exit(0));
  });
}
process.stdout.write(`ready ${worlds.url}\n`);
