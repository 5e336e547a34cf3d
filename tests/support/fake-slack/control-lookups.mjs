// Names in control calls: `owner`, `ana`, `#general`, `general` or ids all work.

export class ControlError extends Error {
  constructor(message, status = 400) {
    super(message);
    this.status = status;
  }
}

export const lookups = {
  /** An app by id; the first one when none is named. */
  app({ workspace }, id) {
    const app = id === undefined ? [...workspace.apps.values()][0] : workspace.apps.get(id);
    if (!app) throw new ControlError(`no such app: ${id}`);
    return app;
  },

  person(world, name) {
    if (name === "owner") return world.workspace.people.get(lookups.app(world).owner);
    const person = world.workspace.person(name);
    if (!person) throw new ControlError(`no such person: ${name}`);
    return person;
  },

  /** A conversation by id or name; `@ana` is the owner's direct conversation with ana, opened when missing. */
  channel(world, name) {
    if (String(name).startsWith("@")) {
      const { channel } = world.workspace.openDirect([lookups.app(world).owner, lookups.person(world, name).id]);
      return channel;
    }
    const channel = world.workspace.channel(name);
    if (!channel) throw new ControlError(`no such channel: ${name}`);
    return channel;
  },

  entry(world, channel, ts) {
    const entry = channel.byTs.get(String(ts));
    if (!entry) throw new ControlError(`no message ${ts} in ${channel.id}`);
    return entry;
  },
};
