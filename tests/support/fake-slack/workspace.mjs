// The state of the fake: one workspace with its people, conversations, messages, apps and tokens.
//
// Everything here is plain data and synchronous. What changes it: `posting.mjs` (messages) and `control.mjs`.
// `save`/`load` write it whole to the `--state` file.

import { loadFiles, saveFiles } from "./files.mjs";
import { Random } from "./random.mjs";
import { formatTs, nowMicros, nowSeconds, parseTs } from "./timestamps.mjs";

const TEAM = { id: "T0HUBBUB", name: "Hubbub Demo", domain: "hubbub-demo" };
const IDS = ["ids", "faults", "shuffle", "demo"];

export class Workspace {
  constructor(seed, team = TEAM) {
    this.seed = seed;
    this.random = Object.fromEntries(IDS.map((name) => [name, Random.stream(seed, name)]));
    this.team = team;
    this.people = new Map();
    this.channels = new Map();
    this.apps = new Map();
    this.tokens = new Map();
    this.files = new Map();
    // Custom emoji: name → address, or `alias:NAME`.
    this.emoji = new Map();
    this.onChange = () => {};
  }

  changed() {
    this.onChange();
  }

  addPerson({ id, name, real_name: realName, display_name: displayName, is_bot: isBot = false, tz = "Europe/Berlin" }) {
    const person = {
      id: id ?? this.random.ids.id("U", 10),
      name,
      real_name: realName ?? name,
      display_name: displayName ?? name,
      is_bot: isBot,
      bot_id: isBot ? this.random.ids.id("B", 10) : undefined,
      app_id: isBot ? this.random.ids.id("A", 10) : undefined,
      tz,
      updated: nowSeconds(),
    };
    this.people.set(person.id, person);
    this.changed();
    return person;
  }

  /** Finds a person by id, or by name with or without `@`. */
  person(idOrName) {
    const name = String(idOrName ?? "").replace(/^@/, "");
    return this.people.get(name) ?? [...this.people.values()].find((person) => person.name === name);
  }

  /** `kind` is `public`, `private`, `im` or `mpim`. */
  addChannel({ id, kind = "public", name, members = [], topic = "", purpose = "", creator }) {
    const prefix = kind === "im" ? "D" : "C";
    const channel = {
      id: id ?? this.random.ids.id(prefix, 10),
      kind,
      name: kind === "im" ? undefined : (name ?? this.mpimName(members)),
      members: [...new Set(members)],
      creator: creator ?? members[0],
      created: nowSeconds(),
      topic: { value: topic, creator: creator ?? "", last_set: topic ? nowSeconds() : 0 },
      purpose: { value: purpose, creator: creator ?? "", last_set: purpose ? nowSeconds() : 0 },
      is_archived: false,
      is_general: name === "general",
      last_read: {},
      lastMicros: 0,
      entries: [],
      byTs: new Map(),
    };
    this.channels.set(channel.id, channel);
    this.changed();
    return channel;
  }

  mpimName(members) {
    return `mpdm-${members.map((id) => this.people.get(id)?.name ?? id).join("--")}-1`;
  }

  /** Finds a conversation by id, or by name with or without `#`. */
  channel(idOrName) {
    const name = String(idOrName ?? "").replace(/^#/, "");
    return this.channels.get(name) ?? [...this.channels.values()].find((channel) => channel.name === name);
  }

  /** The direct conversation of exactly these people, made when it is missing. */
  openDirect(members) {
    const wanted = [...new Set(members)].sort().join();
    const kind = new Set(members).size > 2 ? "mpim" : "im";
    for (const channel of this.channels.values()) {
      if (channel.kind === kind && [...channel.members].sort().join() === wanted) return { channel, created: false };
    }
    return { channel: this.addChannel({ kind, members }), created: true };
  }

  /** An app that `owner` installed for himself: a signing secret and one user token. */
  addApp({ owner, name = "Hubbub" }) {
    const ids = this.random.ids;
    const app = {
      id: ids.id("A", 10),
      name,
      owner,
      bot_id: ids.id("B", 10),
      signing_secret: ids.hex(32),
      verification_token: ids.id("", 24),
      subscription: null,
      subscription_verified: false,
    };
    this.apps.set(app.id, app);
    this.addToken(app);
    return app;
  }

  addToken(app) {
    const ids = this.random.ids;
    const token = ["xoxp", ids.digits(12), ids.digits(12), ids.digits(13), ids.hex(32)].join("-");
    this.tokens.set(token, { token, app: app.id, user: app.owner, state: "live" });
    this.changed();
    return token;
  }

  liveToken(app) {
    return [...this.tokens.values()].find((token) => token.app === app.id && token.state === "live")?.token ?? null;
  }

  /** The next timestamp of a channel: now, or one microsecond after its last message. */
  nextTs(channel) {
    const micros = Math.max(nowMicros() + this.random.ids.below(1000), channel.lastMicros + 1);
    channel.lastMicros = micros;
    return formatTs(micros);
  }

  /** Stores a message in `ts` order. Throws when its timestamp is taken: it is the message's identity. */
  insert(channel, entry) {
    const { ts } = entry.message;
    const micros = parseTs(ts);
    if (micros === null) throw new Error(`malformed ts ${ts}`);
    if (channel.byTs.has(ts)) throw new Error(`ts ${ts} is taken in ${channel.id}`);
    let at = channel.entries.length;
    while (at > 0 && parseTs(channel.entries[at - 1].message.ts) > micros) at -= 1;
    channel.entries.splice(at, 0, entry);
    channel.byTs.set(ts, entry);
    channel.lastMicros = Math.max(channel.lastMicros, micros);
    this.changed();
  }

  remove(channel, ts) {
    channel.entries = channel.entries.filter((entry) => entry.message.ts !== ts);
    channel.byTs.delete(ts);
    this.changed();
  }

  save() {
    return {
      seed: this.seed,
      random: Object.fromEntries(IDS.map((name) => [name, this.random[name].state])),
      team: this.team,
      people: [...this.people.values()],
      channels: [...this.channels.values()].map(({ byTs, ...channel }) => channel),
      apps: [...this.apps.values()],
      tokens: [...this.tokens.values()],
      files: saveFiles(this.files),
      emoji: [...this.emoji],
    };
  }

  static load(saved) {
    const workspace = new Workspace(saved.seed);
    for (const name of IDS) workspace.random[name].state = saved.random[name];
    workspace.team = saved.team;
    for (const person of saved.people) workspace.people.set(person.id, person);
    for (const channel of saved.channels) {
      channel.byTs = new Map(channel.entries.map((entry) => [entry.message.ts, entry]));
      workspace.channels.set(channel.id, channel);
    }
    for (const app of saved.apps) workspace.apps.set(app.id, app);
    for (const token of saved.tokens) workspace.tokens.set(token.token, token);
    workspace.files = loadFiles(saved.files);
    workspace.emoji = new Map(saved.emoji);
    return workspace;
  }
}
