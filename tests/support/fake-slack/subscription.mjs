// Setting the Request URL of an app's event subscription: Slack sends a challenge and wants it back.

import { signedHeaders } from "./envelope.mjs";

/**
 * Sends the signed `url_verification` and keeps `url` if the challenge comes back with a 2xx (or if `force`).
 * The answer may be the bare challenge, JSON or a form, as Slack allows.
 */
export async function subscribe({ workspace, deliveries }, app, url, { force = false } = {}) {
  const challenge = workspace.random.ids.hex(52);
  const body = JSON.stringify({ token: app.verification_token, challenge, type: "url_verification" });
  const answer = await deliveries.sender.post(url, signedHeaders(app.signing_secret, body), body, deliveries.settings.ackTimeout);
  const verified = answer.status >= 200 && answer.status < 300 && echoed(answer.text) === challenge;
  if (verified || force) {
    app.subscription = url;
    app.subscription_verified = verified;
    workspace.changed();
  }
  const reason = answer.failure ?? (answer.status >= 300 ? "http_error" : verified ? null : "challenge_failed");
  return { ok: verified || force, verified, status: answer.status ?? null, reason, ms: answer.ms };
}

function echoed(text) {
  const trimmed = text.trim();
  try {
    return JSON.parse(trimmed).challenge ?? trimmed;
  } catch {
    return new URLSearchParams(trimmed).get("challenge") ?? trimmed;
  }
}
