// Slack's timestamps: `seconds.micros`, unique in their channel, and the id of the message.
//
// They are compared as integers of microseconds (below 2^53 until the year 2255), never as floats.

/** Parses `1712345678.000100` (the fraction may be short or absent) to microseconds; `null` when malformed. */
export function parseTs(ts) {
  const match = /^(\d{1,11})(?:\.(\d{1,6}))?$/.exec(String(ts));
  if (!match) return null;
  return Number(match[1]) * 1_000_000 + Number((match[2] ?? "").padEnd(6, "0"));
}

export function formatTs(micros) {
  return `${Math.floor(micros / 1_000_000)}.${String(micros % 1_000_000).padStart(6, "0")}`;
}

export function nowMicros() {
  return Date.now() * 1000;
}

export function nowSeconds() {
  return Math.floor(Date.now() / 1000);
}

/** A promise that resolves after `ms`. */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Whether `promise` resolves within `ms`. */
export async function settlesWithin(promise, ms) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const settled = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return settled;
}
