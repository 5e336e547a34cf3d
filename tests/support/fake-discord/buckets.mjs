// Rate limits as Discord's headers tell them: a bucket for each route and channel, server or webhook.

import { createHash } from "node:crypto";

export class Buckets {
  constructor(settings) {
    this.settings = settings;
    this.known = new Map();
  }

  /** Counts a call and adds its headers; returns the body of a 429 when there were too many. */
  take(route, major, headers, forced) {
    const { rateLimit, rateWindow } = this.settings;
    const hash = createHash("md5").update(route).digest("hex");
    const key = `${hash}:${major}`;
    const now = Date.now();
    let bucket = this.known.get(key);
    if (!bucket || bucket.resetAt <= now) {
      bucket = { left: rateLimit, resetAt: now + rateWindow };
      this.known.set(key, bucket);
    }
    const over = bucket.left <= 0;
    if (!over) bucket.left -= 1;
    const after = (forced?.retry_after ?? (bucket.resetAt - now) / 1000).toFixed(3);
    Object.assign(headers, {
      "x-ratelimit-limit": String(rateLimit),
      "x-ratelimit-remaining": String(forced ? 0 : bucket.left),
      "x-ratelimit-reset": (now / 1000 + Number(after)).toFixed(3),
      "x-ratelimit-reset-after": after,
      "x-ratelimit-bucket": hash,
    });
    if (!over && !forced) return undefined;
    headers["retry-after"] = String(Math.ceil(Number(after)));
    headers["x-ratelimit-scope"] = forced?.scope ?? "user";
    if (forced?.global) headers["x-ratelimit-global"] = "true";
    return { message: "You are being rate limited.", retry_after: Number(after), global: forced?.global === true };
  }
}
