// Faults on purpose: what a call of the Web API suffers, by chance (seeded) or by script.
//
// Kinds: `ratelimited` (429 and Retry-After), `drop_answer` (applied, then the socket dies: the unknown outcome),
// `close` (the socket dies and nothing was applied), `delay`, `hang` (applied, never answered), `error` (an error in
// the body), `http` (a bare status and an HTML body), `ok`.

const KINDS = ["ratelimited", "drop_answer", "close", "delay", "hang", "error", "http", "ok"];
const DEFAULT_MIX = { ratelimited: 1, drop_answer: 1, close: 1 };

export class Faults {
  constructor(random, probability) {
    this.random = random;
    this.counts = {};
    this.rules = new Map();
    if (probability > 0) this.set("chat.postMessage", { probability });
  }

  /**
   * Sets the rule of a method. `script` is a list of kinds or of `{ kind, … }`, each used once, first to last; after
   * it `probability` decides, and `kinds` weighs (`{ "drop_answer": 2, "close": 1 }`). `repeat` starts the script again.
   */
  set(method, { probability = 0, kinds = DEFAULT_MIX, script = [], repeat = false, ...details }) {
    const steps = script.map((step) => (typeof step === "string" ? { kind: step } : step));
    for (const kind of [...steps.map((step) => step.kind), ...Object.keys(kinds)]) {
      if (!KINDS.includes(kind)) throw new Error(`unknown fault ${kind}`);
    }
    this.rules.set(method, { probability, kinds, steps, original: steps, repeat, details });
  }

  clear() {
    this.rules.clear();
  }

  /** The fault of this call. */
  next(method) {
    const fault = this.decide(this.rules.get(method));
    if (fault.kind !== "ok") this.counts[`${method} ${fault.kind}`] = (this.counts[`${method} ${fault.kind}`] ?? 0) + 1;
    return fault;
  }

  decide(rule) {
    if (!rule) return { kind: "ok" };
    if (rule.steps.length === 0 && rule.repeat) rule.steps = [...rule.original];
    if (rule.steps.length > 0) {
      const [step, ...rest] = rule.steps;
      rule.steps = rest;
      return { ...rule.details, ...step };
    }
    if (this.random.next() >= rule.probability) return { kind: "ok" };
    const weights = Object.entries(rule.kinds);
    let left = this.random.next() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [kind, weight] of weights) {
      left -= weight;
      if (left < 0) return { ...rule.details, kind };
    }
    return { kind: "ok" };
  }

  report() {
    const rules = [...this.rules].map(([method, rule]) => [method, { probability: rule.probability, script_left: rule.steps.length }]);
    return { counts: this.counts, rules: Object.fromEntries(rules) };
  }
}

/** A token bucket for each key: `rate` a second, at most `burst` at once. */
export class RateLimit {
  constructor(settings) {
    this.settings = settings;
    this.buckets = new Map();
  }

  /** 0 when the call may pass, otherwise the seconds to wait (whole, as in Retry-After). */
  take(key) {
    const { postRate: rate, postBurst: burst } = this.settings;
    if (!(rate > 0)) return 0;
    const now = performance.now();
    const bucket = this.buckets.get(key) ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * rate);
    bucket.at = now;
    this.buckets.set(key, bucket);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - bucket.tokens) / rate));
  }
}
