// One signed POST to a subscription URL, with the acknowledgement time-out.

import http from "node:http";
import https from "node:https";

const ANSWER_LIMIT = 64 * 1024;

/** Sends requests over kept-alive connections; `close` drops them. */
export class Sender {
  constructor(sockets) {
    const options = { keepAlive: true, maxSockets: sockets };
    this.agents = { "http:": new http.Agent(options), "https:": new https.Agent(options) };
  }

  /**
   * Posts `body`. Resolves always: `{ status, headers, text, ms }`, or `{ failure, ms }` where `failure` is
   * `http_timeout` or `connection_failed`, the words of `x-slack-retry-reason`.
   */
  post(url, headers, body, timeoutMs) {
    const started = performance.now();
    const elapsed = () => Math.round((performance.now() - started) * 10) / 10;
    return new Promise((resolve) => {
      let target;
      try {
        target = new URL(url);
      } catch {
        resolve({ failure: "connection_failed", ms: 0 });
        return;
      }
      const library = target.protocol === "https:" ? https : http;
      const request = library.request(target, { method: "POST", headers, agent: this.agents[target.protocol] });
      const timer = setTimeout(() => {
        resolve({ failure: "http_timeout", ms: elapsed() });
        request.destroy();
      }, timeoutMs);
      const fail = () => {
        clearTimeout(timer);
        resolve({ failure: "connection_failed", ms: elapsed() });
      };
      request.on("error", fail);
      request.on("response", (response) => {
        const chunks = [];
        let size = 0;
        response.on("data", (chunk) => {
          size += chunk.length;
          if (size <= ANSWER_LIMIT) chunks.push(chunk);
        });
        response.on("error", fail);
        response.on("end", () => {
          clearTimeout(timer);
          const text = Buffer.concat(chunks).toString("utf8");
          resolve({ status: response.statusCode, headers: response.headers, text, ms: elapsed() });
        });
      });
      request.end(body);
    });
  }

  close() {
    for (const agent of Object.values(this.agents)) agent.destroy();
  }
}
