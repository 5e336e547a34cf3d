// `--state FILE`: the fake's memory on disk, written a moment after each change and when it ends.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const DELAY_MS = 200;
// A large state is written less often, so that writing takes at most a tenth of the time.
const REST_FACTOR = 10;

export class SavedState {
  constructor(path) {
    this.path = path;
    this.timer = null;
    this.lastMs = 0;
  }

  load() {
    return this.path && existsSync(this.path) ? JSON.parse(readFileSync(this.path, "utf8")) : null;
  }

  /** Saves what `collect` returns, soon; several changes make one write. */
  soon(collect) {
    if (!this.path || this.timer) return;
    this.timer = setTimeout(() => this.now(collect), Math.max(DELAY_MS, this.lastMs * REST_FACTOR));
    this.timer.unref();
  }

  /** Saves at once, whole or not at all. */
  now(collect) {
    if (!this.path) return;
    clearTimeout(this.timer);
    this.timer = null;
    const started = performance.now();
    const temporary = `${this.path}.new`;
    writeFileSync(temporary, JSON.stringify(collect()), { mode: 0o600 });
    renameSync(temporary, this.path);
    this.lastMs = performance.now() - started;
  }
}
