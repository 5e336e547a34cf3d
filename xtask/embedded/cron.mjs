// Miniflare never ticks a cron, so this does: the same schedules as in wrangler.toml, in UTC. A schedule that came due while
// the server was down is ticked once at the next start. Only minute and hour fields are understood, since Cloudflare counts
// weekdays from Sunday = 1 and no other program does.
import { readFileSync, renameSync, writeFileSync } from "node:fs";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const ATTEMPTS = 5;

function field(text, size) {
  const allowed = new Set();
  for (const part of text.split(",")) {
    const [, star, from, to, step] = /^(?:(\*)|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part) ?? [];
    if (star === undefined && from === undefined) throw new Error(`cron field not understood: ${text}`);
    const first = star ? 0 : Number(from);
    const last = star || (step && to === undefined) ? size - 1 : Number(to ?? from);
    if (first > last || last >= size || step === "0") throw new Error(`cron field out of range: ${text}`);
    for (let value = first; value <= last; value += Number(step ?? 1)) allowed.add(value);
  }
  return allowed;
}

/** Parses `minute hour * * *`. */
export function parseCron(expression) {
  const [minute, hour, ...rest] = expression.trim().split(/\s+/);
  if (rest.join(" ") !== "* * *") throw new Error(`only minutes and hours can be scheduled here: ${expression}`);
  return { minutes: field(minute, 60), hours: field(hour, 24) };
}

/** The newest time at or before `now` at which the schedule was due. */
export function lastDue(schedule, now) {
  for (let time = now - (now % MINUTE); time > now - DAY - MINUTE; time -= MINUTE) {
    const date = new Date(time);
    if (schedule.minutes.has(date.getUTCMinutes()) && schedule.hours.has(date.getUTCHours())) return time;
  }
  return undefined;
}

/** Ticks `crons` through `tick(cron, time)` until the process ends; `path` remembers what was ticked. */
export function startCrons({ crons, path, tick, log }) {
  const schedules = crons.map((cron) => ({ cron, schedule: parseCron(cron) }));
  const ticked = load(path);
  for (const { cron } of schedules) ticked[cron] ??= Date.now();
  let running = false;

  const round = async () => {
    if (running) return;
    running = true;
    try {
      for (const { cron, schedule } of schedules) {
        const due = lastDue(schedule, Date.now());
        if (due === undefined || due <= ticked[cron]) continue;
        await attempt(tick, cron, due, log);
        ticked[cron] = due;
        save(path, ticked);
      }
    } finally {
      running = false;
    }
  };
  save(path, ticked);
  setInterval(round, 1_000);
  return round();
}

async function attempt(tick, cron, time, log) {
  for (let count = 1; count <= ATTEMPTS; count += 1) {
    try {
      await tick(cron, time);
      return;
    } catch (error) {
      log(`cron "${cron}" failed (${count} of ${ATTEMPTS}): ${error.message}`);
      await new Promise((resolve) => setTimeout(resolve, 500 * count));
    }
  }
}

function load(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return {};
  }
}

function save(path, ticked) {
  writeFileSync(`${path}.new`, JSON.stringify(ticked));
  renameSync(`${path}.new`, path);
}
