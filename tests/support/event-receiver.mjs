// A receiver of events for tests: checks each signature by itself, keeps what came, fails on demand.

import { createHmac, timingSafeEqual } from "node:crypto";
import http from "node:http";

/**
 * Listens on loopback. `behaviour(attempt)` decides the answer to an event: a status (200 when absent), `"hang"`, or
 * `{ status, headers }`; `attempt` has `body`, `headers`, `signatureValid`.
 */
export async function startReceiver(secret, behaviour = () => 200) {
  const attempts = [];
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const raw = Buffer.concat(chunks);
    const attempt = { body: JSON.parse(raw), headers: request.headers, signatureValid: valid(secret(), request.headers, raw) };
    if (attempt.body.type === "url_verification") {
      response.end(attempt.signatureValid ? attempt.body.challenge : "no");
      return;
    }
    attempts.push(attempt);
    const answer = behaviour(attempt);
    if (answer === "hang") return;
    const { status, headers } = typeof answer === "number" ? { status: answer, headers: {} } : answer;
    response.writeHead(status, headers);
    response.end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/hook`,
    attempts,
    events: () => attempts.map((attempt) => attempt.body.event),
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

function valid(secret, headers, raw) {
  const timestamp = headers["x-slack-request-timestamp"];
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false;
  const expected = `v0=${createHmac("sha256", secret).update(`v0:${timestamp}:`).update(raw).digest("hex")}`;
  const given = String(headers["x-slack-signature"]);
  return given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}
