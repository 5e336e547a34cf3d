#!/usr/bin/env node
// A fake Discord on loopback: REST v10, the gateway, webhooks, faults on purpose, people who talk.
//
// Needs Node 20 and no package. The README beside it tells the control API; the parts are in `fake-discord/`, put together by
// `fake-discord/server.mjs`.

import { parseArgs } from "node:util";

import { DEFAULTS, startFakeDiscord } from "./fake-discord/server.mjs";
import { numbersOf } from "./options.mjs";

const HELP = `Usage: node fake-discord.mjs [options]

  --port N                port on 127.0.0.1; 0 takes a free one (default ${DEFAULTS.port})
  --heartbeat-interval MS how often a client has to beat (default ${DEFAULTS.heartbeatInterval}, Discord's)
  --rate-limit N          calls of one bucket in a window before 429 (default ${DEFAULTS.rateLimit})
  --rate-window MS        that window (default ${DEFAULTS.rateWindow})

Prints "ready http://127.0.0.1:PORT" once it listens.
`;

const text = { type: "string" };
const { values } = parseArgs({
  options: { port: text, "heartbeat-interval": text, "rate-limit": text, "rate-window": text, help: { type: "boolean" } },
});

if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const number = numbersOf("fake-discord", values);

const discord = await startFakeDiscord({
  port: number("port", DEFAULTS.port),
  heartbeatInterval: number("heartbeat-interval", DEFAULTS.heartbeatInterval),
  rateLimit: number("rate-limit", DEFAULTS.rateLimit),
  rateWindow: number("rate-window", DEFAULTS.rateWindow),
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    discord.close().finally(() => process.exit(0));
  });
}
process.stdout.write(`ready ${discord.url}\n`);
