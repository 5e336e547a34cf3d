// Taking tokens away and giving new ones.

import { envelope } from "./envelope.mjs";
import { formatTs, nowMicros } from "./timestamps.mjs";

/** Makes a token answer `state` (`token_revoked`, `account_inactive`, `invalid_auth`); `announce` sends `tokens_revoked`. */
export function revokeToken({ workspace, deliveries }, record, { state, announce }) {
  record.state = state;
  workspace.changed();
  if (!announce) return;
  const app = workspace.apps.get(record.app);
  const event = { type: "tokens_revoked", tokens: { oauth: [record.user], bot: [] }, event_ts: formatTs(nowMicros()) };
  deliveries.submit(envelope(workspace, app, event));
}

/** Brings `token` back to life, or makes a new one for `app`. */
export function restoreToken({ workspace }, app, token) {
  const record = workspace.tokens.get(token);
  if (!record) return workspace.addToken(app);
  record.state = "live";
  workspace.changed();
  return token;
}
