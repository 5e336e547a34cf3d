#!/usr/bin/env node
// A fake Slack workspace on loopback: Web API, signed events, faults on purpose, people who talk.
//
// Needs Node 20 and no package. `--help` lists the options, the README beside it the control API; the parts are in
// `fake-slack/`, put together by `fake-slack/server.mjs`.

import { parseArgs } from "node:util";

import { DEFAULTS, startFakeSlack } from "./fake-slack/server.mjs";
import { numbersOf } from "./options.mjs";

const HELP = `Usage: node fake-slack.mjs [options]

  --port N             port on 127.0.0.1; 0 takes a free one (default ${DEFAULTS.port})
  --seed N             makes ids, secrets, faults, shuffles and the demo repeatable (default ${DEFAULTS.seed})
  --post-rate N        chat.postMessage a second and channel before 429; 0 is no limit (default ${DEFAULTS.postRate})
  --post-burst N       how many at once before the rate counts (default: the rate, at least 1)
  --faults P           chance that a chat.postMessage is refused with 429, loses its answer or its connection
  --retry-delays A,B   milliseconds before each new attempt of an event (default ${DEFAULTS.retryDelays.join()}, Slack's)
  --retry-forever      repeat the last delay instead of giving up
  --ack-timeout MS     how long an event waits for its 2xx (default ${DEFAULTS.ackTimeout}, Slack's)
  --parallel N         events in flight at once (default ${DEFAULTS.parallel})
  --duplicate          deliver every event twice
  --no-echo-metadata   leave the metadata out of message events
  --ragged-pages       pages that are short or empty while a cursor leads on
  --state FILE         keep everything in FILE across restarts
  --demo               scripted people talk in #general and #random and answer the owner
  --demo-interval MS   between two of their lines (default ${DEFAULTS.demoInterval})

Prints "ready http://127.0.0.1:PORT" once it listens.
`;

const flag = { type: "boolean", default: false };
const text = { type: "string" };
const { values } = parseArgs({
  options: {
    port: text,
    seed: text,
    "post-rate": text,
    "post-burst": text,
    faults: text,
    "retry-delays": text,
    "retry-forever": flag,
    "ack-timeout": text,
    parallel: text,
    duplicate: flag,
    "no-echo-metadata": flag,
    "ragged-pages": flag,
    state: text,
    demo: flag,
    "demo-interval": text,
    help: flag,
  },
});

if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const number = numbersOf("fake-slack", values);

const slack = await startFakeSlack({
  port: number("port", DEFAULTS.port),
  seed: number("seed", DEFAULTS.seed),
  postRate: number("post-rate", DEFAULTS.postRate),
  postBurst: number("post-burst", undefined),
  faults: number("faults", DEFAULTS.faults),
  retryDelays: values["retry-delays"]?.split(",").map(Number) ?? DEFAULTS.retryDelays,
  retryForever: values["retry-forever"],
  ackTimeout: number("ack-timeout", DEFAULTS.ackTimeout),
  parallel: number("parallel", DEFAULTS.parallel),
  duplicate: values.duplicate,
  echoMetadata: !values["no-echo-metadata"],
  raggedPages: values["ragged-pages"],
  state: values.state,
  demo: values.demo,
  demoInterval: number("demo-interval", DEFAULTS.demoInterval),
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    slack.close().finally(() => process.exit(0));
  });
}
process.stdout.write(`ready ${slack.url}\n`);
