// The Events API envelope and its v0 signature.
//
// An envelope is serialised once, so a retry carries the same bytes and the same `event_id`; each attempt is
// signed afresh, since the signature covers the time of the attempt.

import { createHmac } from "node:crypto";
import { nowSeconds } from "./timestamps.mjs";

const CHANNEL_TYPES = { public: "channel", private: "group", im: "im", mpim: "mpim" };

/** The `channel_type` that a message event of this conversation carries. */
export function channelType(channel) {
  return CHANNEL_TYPES[channel.kind];
}

/** The `event_callback` around `event` for one app, as the body to send and the id to know it by. */
export function envelope(workspace, app, event, eventId = workspace.random.ids.id("Ev", 10)) {
  const channel = typeof event.channel === "string" ? event.channel : event.item?.channel;
  const context = { et: event.type, tid: workspace.team.id, aid: app.id, ...(channel ? { cid: channel } : {}) };
  const body = {
    token: app.verification_token,
    team_id: workspace.team.id,
    context_team_id: workspace.team.id,
    context_enterprise_id: null,
    api_app_id: app.id,
    event,
    type: "event_callback",
    event_id: eventId,
    event_time: nowSeconds(),
    authorizations: [
      {
        enterprise_id: null,
        team_id: workspace.team.id,
        user_id: app.owner,
        is_bot: false,
        is_enterprise_install: false,
      },
    ],
    is_ext_shared_channel: false,
    event_context: `4-${Buffer.from(JSON.stringify(context)).toString("base64url")}`,
  };
  return { app: app.id, event_id: eventId, body: JSON.stringify(body) };
}

/** `v0=` and the HMAC-SHA256 of `v0:timestamp:body` under the app's signing secret. */
export function signature(secret, timestamp, body) {
  return `v0=${createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex")}`;
}

export function signedHeaders(secret, body, timestamp = nowSeconds()) {
  return {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    accept: "*/*",
    "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
    "x-slack-request-timestamp": String(timestamp),
    "x-slack-signature": signature(secret, timestamp, body),
  };
}
