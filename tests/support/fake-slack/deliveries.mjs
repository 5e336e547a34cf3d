// The queue of webhooks: parallel, retried as Slack retries, counted.
//
// A delivery is acknowledged by a 2xx within the time-out. Otherwise it comes again after each of the retry delays,
// with `x-slack-retry-num` and `x-slack-retry-reason`, and is then given up: what a bridge must fetch by itself.
// Slack promises no order, and neither does this queue beyond starting in the order of submission.

import { signedHeaders } from "./envelope.mjs";
import { Sender } from "./outgoing.mjs";

const LOG_LIMIT = 50_000;

export class Deliveries {
  constructor(workspace, { retryDelays, retryForever, ackTimeout, parallel, duplicate }) {
    this.workspace = workspace;
    this.settings = { retryDelays, retryForever, ackTimeout, parallel, duplicate };
    this.sender = new Sender(256);
    this.ready = [];
    this.waiting = new Map();
    this.active = 0;
    this.held = false;
    this.log = [];
    this.idleWaiters = new Set();
    this.resetStats();
  }

  resetStats() {
    this.stats = { submitted: 0, acknowledged: 0, attempts: 0, retried: 0, refused: 0, gave_up: 0, unsubscribed: 0 };
    this.stats.refused_by_reason = {};
    this.ackTimes = [];
  }

  /**
   * Queues one envelope. `copy` is a duplicate of an event that goes out anyway: it claims to be a retry.
   * Resolves to the delivery once it is acknowledged or given up.
   */
  submit(envelope, { copy = false } = {}) {
    const { app, event_id: eventId, body } = envelope;
    if (this.settings.duplicate && !copy) this.submit(envelope, { copy: true });
    const delivery = { app, event_id: eventId, body, attempt: copy ? 1 : 0, reason: copy ? "http_timeout" : null, state: "queued", copy };
    this.stats.submitted += 1;
    const done = new Promise((resolve) => {
      delivery.settle = resolve;
    });
    this.enqueue(delivery);
    return done;
  }

  enqueue(delivery) {
    this.ready.push(delivery);
    this.remember(delivery);
    this.pump();
  }

  remember(delivery) {
    this.log.push(delivery);
    if (this.log.length > LOG_LIMIT) this.log.splice(0, this.log.length - LOG_LIMIT);
  }

  /** Stops starting attempts (they pile up), or goes on. */
  hold(held) {
    this.held = held;
    this.pump();
  }

  pump() {
    while (!this.held && this.active < this.settings.parallel && this.ready.length > 0) {
      this.active += 1;
      this.attempt(this.ready.shift()).finally(() => {
        this.active -= 1;
        this.pump();
      });
    }
    if (this.pending() === 0) {
      for (const wake of this.idleWaiters) wake();
      this.idleWaiters.clear();
    }
  }

  async attempt(delivery) {
    const app = this.workspace.apps.get(delivery.app);
    if (!app?.subscription) {
      this.finish(delivery, "unsubscribed");
      return;
    }
    const headers = signedHeaders(app.signing_secret, delivery.body);
    if (delivery.attempt > 0) {
      headers["x-slack-retry-num"] = String(delivery.attempt);
      headers["x-slack-retry-reason"] = delivery.reason;
      this.stats.retried += delivery.copy && delivery.attempt === 1 ? 0 : 1;
    }
    this.stats.attempts += 1;
    delivery.state = "in_flight";
    const answer = await this.sender.post(app.subscription, headers, delivery.body, this.settings.ackTimeout);
    delivery.status = answer.status ?? null;
    delivery.ms = answer.ms;
    if (answer.status >= 200 && answer.status < 300) {
      this.ackTimes.push(answer.ms);
      this.finish(delivery, "acknowledged");
    } else {
      this.refused(delivery, answer);
    }
  }

  refused(delivery, answer) {
    delivery.reason = answer.failure ?? "http_error";
    this.stats.refused += 1;
    this.stats.refused_by_reason[delivery.reason] = (this.stats.refused_by_reason[delivery.reason] ?? 0) + 1;
    const { retryDelays, retryForever } = this.settings;
    const delay = retryDelays[delivery.attempt] ?? (retryForever ? (retryDelays.at(-1) ?? 1000) : undefined);
    delivery.attempt += 1;
    if (delay === undefined || answer.headers?.["x-slack-no-retry"] === "1") {
      this.finish(delivery, "gave_up");
      return;
    }
    delivery.state = "waiting";
    const timer = setTimeout(() => {
      this.waiting.delete(delivery);
      this.ready.push(delivery);
      this.pump();
    }, delay);
    this.waiting.set(delivery, timer);
  }

  finish(delivery, state) {
    delivery.state = state;
    this.stats[state] += 1;
    this.workspace.changed();
    delivery.settle?.(delivery);
  }

  /** How many deliveries are neither acknowledged nor given up. */
  pending() {
    return this.ready.length + this.waiting.size + this.active;
  }

  /** Resolves to whether everything was settled within `timeoutMs`. */
  settled(timeoutMs) {
    if (this.pending() === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        this.idleWaiters.delete(wake);
        resolve(false);
      }, timeoutMs);
      this.idleWaiters.add(wake);
    });
  }

  /** Sends again, as new attempts, everything that was given up or found no subscription. */
  redeliver() {
    const lost = this.log.filter((delivery) => delivery.state === "gave_up" || delivery.state === "unsubscribed");
    for (const delivery of lost) {
      delivery.state = "queued";
      delivery.attempt = 0;
      this.ready.push(delivery);
    }
    this.pump();
    return lost.length;
  }

  report() {
    const times = [...this.ackTimes].sort((a, b) => a - b);
    const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? null;
    const ackMs = { p50: at(0.5), p99: at(0.99), max: times.at(-1) ?? null };
    return { ...this.stats, pending: this.pending(), ack_ms: ackMs };
  }

  /** What must survive a restart of the fake. */
  save() {
    return this.log
      .filter((delivery) => ["queued", "in_flight", "waiting"].includes(delivery.state))
      .map(({ settle, ...delivery }) => delivery);
  }

  load(saved) {
    for (const delivery of saved) this.enqueue({ ...delivery, state: "queued" });
  }

  close() {
    this.held = true;
    for (const timer of this.waiting.values()) clearTimeout(timer);
    this.sender.close();
  }
}
