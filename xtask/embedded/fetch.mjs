// One HTTPS request for `cargo xtask` (whose own client speaks plain HTTP only): the request is JSON on stdin, the answer JSON
// on stdout, so that no token is in an argument.
import { text } from "node:stream/consumers";

const { method, url, headers, body } = JSON.parse(await text(process.stdin));
const response = await fetch(url, { method, headers, body, redirect: "manual", signal: AbortSignal.timeout(60_000) });
process.stdout.write(JSON.stringify({ status: response.status, body: await response.text() }));
