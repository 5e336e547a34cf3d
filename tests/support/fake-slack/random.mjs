// Seeded randomness: a run of the fake is repeatable from its `--seed`.
//
// Each use (ids, faults, shuffles, the demo) draws from a stream of its own, so that one more
// API call does not change in which order a later batch is shuffled.

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** A small seeded generator (mulberry32). Its whole state is one number, so it can be saved. */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /** A stream that depends on the seed and on `name` only. */
  static stream(seed, name) {
    let hash = 2166136261 ^ (seed >>> 0);
    for (const character of name) {
      hash = Math.imul(hash ^ character.codePointAt(0), 16777619) >>> 0;
    }
    return new Random(hash);
  }

  /** A number in [0, 1). */
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** An integer in [0, bound). */
  below(bound) {
    return Math.floor(this.next() * bound);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  /** A shuffled copy (Fisher-Yates). */
  shuffled(list) {
    const copy = [...list];
    for (let last = copy.length - 1; last > 0; last -= 1) {
      const other = this.below(last + 1);
      [copy[last], copy[other]] = [copy[other], copy[last]];
    }
    return copy;
  }

  /** An id as Slack makes them: a prefix and upper-case base 36. */
  id(prefix, length = 9) {
    let id = prefix;
    for (let index = 0; index < length; index += 1) id += ALPHABET[this.below(36)];
    return id;
  }

  hex(length) {
    let text = "";
    for (let index = 0; index < length; index += 1) text += this.below(16).toString(16);
    return text;
  }

  digits(length) {
    let text = String(1 + this.below(9));
    while (text.length < length) text += this.below(10);
    return text;
  }

  uuid() {
    const hex = this.hex(32);
    return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20)].join("-");
  }
}
