// The workspace that the fake starts with: six people, a bot, six conversations, the owner's app.

import { formatTs, nowMicros } from "./timestamps.mjs";

// [name, real name, display name (Slack leaves it empty for many), time zone]
const PEOPLE = [
  ["robin", "Robin Vale", "robin", "Europe/Berlin"],
  ["ana", "Ana Belém", "Ana", "Europe/Lisbon"],
  ["bjorn", "Björn Åkesson", "björn", "Europe/Stockholm"],
  ["chidi", "Chidi Okafor", "", "Africa/Lagos"],
  ["dana", "Dana O'Neill", "dana 🎧", "America/New_York"],
  ["emi", "江美 Emi", "江美", "Asia/Tokyo"],
];

/** Fills an empty workspace. The first person is the owner, who installed the app. */
export function seedWorkspace(workspace) {
  const people = PEOPLE.map(([name, realName, displayName, tz]) =>
    workspace.addPerson({ id: `U0${name.toUpperCase()}`, name, real_name: realName, display_name: displayName, tz }),
  );
  workspace.addPerson({ id: "U0DEPLOYBOT", name: "deploybot", real_name: "Deploy Bot", is_bot: true });
  const ids = people.map((person) => person.id);
  const [owner, ana, bjorn, chidi, dana] = ids;
  workspace.addChannel({ id: "C0GENERAL", name: "general", members: ids, topic: "Company-wide announcements and work-based matters" });
  workspace.addChannel({ id: "C0RANDOM", name: "random", members: ids, topic: "Non-work banter" });
  workspace.addChannel({ id: "C0ELSEWHERE", name: "elsewhere", members: [ana, bjorn, chidi], topic: "The owner is not in here" });
  workspace.addChannel({ id: "C0SECRET", kind: "private", name: "secret-plans", members: [owner, ana, chidi], topic: "Shh" });
  workspace.addChannel({ id: "D0ANA", kind: "im", members: [owner, ana] });
  workspace.addChannel({ id: "C0GROUPDM", kind: "mpim", members: [owner, bjorn, dana] });
  workspace.addApp({ owner });
}

/** Writes `lines` ([person, text]) into the past of a channel, one every few minutes, without webhooks. */
export function seedHistory(posting, channel, lines) {
  const { workspace } = posting;
  const end = nowMicros() - 60_000_000;
  for (const [index, [person, text]] of lines.entries()) {
    const before = (lines.length - index) * 240_000_000 + workspace.random.demo.below(60_000_000);
    posting.post(channel, { user: workspace.person(person).id, text, ts: formatTs(end - before) });
  }
}
