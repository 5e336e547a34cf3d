// `users.*`: people and their profiles.

import { SlackError } from "../slack-error.mjs";
import { page } from "./arguments.mjs";

export const userMethods = {
  "users.info": ({ workspace, args }) => {
    const person = workspace.people.get(args.user);
    if (!person) throw new SlackError("user_not_found");
    return { user: userObject(workspace, person) };
  },

  "users.list": (call) => {
    const people = [...call.workspace.people.values()];
    const { items, next_cursor } = page(people, { ...call, random: call.workspace.random.faults, word: "user", standard: people.length || 1 });
    const members = items.map((person) => userObject(call.workspace, person));
    return { members, cache_ts: Math.floor(Date.now() / 1000), response_metadata: { next_cursor } };
  },

  "users.profile.get": ({ workspace, app, args }) => {
    const person = workspace.people.get(args.user ?? app.owner);
    if (!person) throw new SlackError("user_not_found");
    return { profile: userObject(workspace, person).profile };
  },
};

/** A user as `users.info` and the `user_change` event show one. */
export function userObject(workspace, person) {
  const owner = [...workspace.apps.values()].some((app) => app.owner === person.id);
  const hash = person.id.toLowerCase().slice(0, 12);
  const image = (size) => `${workspace.address}/pictures/${person.id}-${size}.png`;
  const images = Object.fromEntries([24, 32, 48, 72, 192, 512].map((size) => [`image_${size}`, image(size)]));
  const [firstName, ...lastNames] = person.real_name.split(" ");
  return {
    id: person.id,
    team_id: workspace.team.id,
    name: person.name,
    deleted: person.deleted ?? false,
    color: "4bbe2e",
    real_name: person.real_name,
    tz: person.tz,
    tz_label: "Central European Time",
    tz_offset: 3600,
    profile: {
      title: "",
      phone: "",
      skype: "",
      real_name: person.real_name,
      real_name_normalized: person.real_name,
      display_name: person.display_name,
      display_name_normalized: person.display_name,
      fields: null,
      status_text: "",
      status_emoji: "",
      status_emoji_display_info: [],
      status_expiration: 0,
      avatar_hash: `g${hash}`,
      first_name: firstName,
      last_name: lastNames.join(" "),
      ...(person.bot_id ? { bot_id: person.bot_id, api_app_id: person.app_id } : {}),
      ...images,
      status_text_canonical: "",
      team: workspace.team.id,
    },
    is_admin: owner,
    is_owner: owner,
    is_primary_owner: owner,
    is_restricted: false,
    is_ultra_restricted: false,
    is_bot: person.is_bot,
    is_app_user: false,
    updated: person.updated,
    is_email_confirmed: true,
    who_can_share_contact_card: "EVERYONE",
  };
}
