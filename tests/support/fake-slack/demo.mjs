// `--demo`: people who talk every few seconds and answer the owner. They reach him through webhooks only.

import { ANSWERS, LINES, PAST, REACTIONS, WHISPERS } from "./demo-script.mjs";
import { seedHistory } from "./seed.mjs";

const LINES_PER_WHISPER = 12;

export class Demo {
  constructor(world, interval) {
    this.world = world;
    this.interval = interval;
    this.timers = new Set();
    this.running = false;
    this.queue = [];
    this.said = 0;
  }

  /** Starts or stops the talk. The first start writes the channels' past. */
  run(running) {
    if (running === this.running) return;
    this.running = running;
    const { workspace } = this.world;
    workspace.onPosted = running ? (channel, entry) => this.answer(channel, entry) : undefined;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    if (!running) return;
    this.writePast();
    this.later(this.pause(), () => this.talk());
  }

  writePast() {
    for (const [name, lines] of Object.entries(PAST)) {
      const channel = this.world.workspace.channel(name);
      if (channel && channel.entries.length === 0) seedHistory(this.world.posting, channel, lines);
    }
  }

  talk() {
    this.later(this.pause(), () => this.talk());
    if (![...this.world.workspace.apps.values()].some((app) => app.subscription)) return;
    const { workspace } = this.world;
    this.said += 1;
    if (this.said % LINES_PER_WHISPER === 0) {
      const [person, text] = this.random().pick(WHISPERS);
      const { channel } = workspace.openDirect([this.owner().id, workspace.person(person).id]);
      this.say(channel, person, text);
      return;
    }
    if (this.queue.length === 0) this.queue = this.random().shuffled(LINES);
    const [channel, person, text] = this.queue.pop();
    this.say(workspace.channel(channel), person, text);
  }

  /** Somebody in the channel reacts to the owner's message, and somebody says something about it. */
  answer(channel, entry) {
    const others = channel.members.filter((member) => member !== this.owner().id);
    if (others.length === 0) return;
    const [reacting, speaking] = [this.random().pick(others), this.random().pick(others)];
    this.later(900, () => {
      const change = { user: reacting, name: this.random().pick(REACTIONS) };
      this.send(this.world.posting.react(channel, entry, change) ?? []);
    });
    const start = entry.message.text.split("\n")[0].replace(/<[^>]*$/, "").slice(0, 60);
    const text = this.random().pick(ANSWERS).replace("{text}", start);
    this.later(1800, () => this.say(channel, speaking, text));
  }

  say(channel, person, text) {
    const { posting, workspace } = this.world;
    const words = text.replaceAll("{owner}", `<@${this.owner().id}>`);
    this.send(posting.post(channel, { user: workspace.person(person).id, text: words }).outgoing);
  }

  send(outgoing) {
    for (const one of outgoing) this.world.deliveries.submit(one);
  }

  owner() {
    const { workspace } = this.world;
    return workspace.people.get([...workspace.apps.values()][0].owner);
  }

  random() {
    return this.world.workspace.random.demo;
  }

  /** Between half and one and a half of the interval. */
  pause() {
    return this.interval * (0.5 + this.random().next());
  }

  later(ms, act) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, ms);
    this.timers.add(timer);
  }
}
