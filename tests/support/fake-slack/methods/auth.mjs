// `api.test`, `auth.*`, `team.info`, `bots.info`, `emoji.list`.

import { SlackError } from "../slack-error.mjs";
import { revokeToken } from "../tokens.mjs";

export const authMethods = {
  "api.test": ({ args }) => {
    if (args.error) throw new SlackError(String(args.error), { args });
    return { args };
  },

  "auth.test": ({ workspace, app }) => ({
    url: `https://${workspace.team.domain}.slack.com/`,
    team: workspace.team.name,
    user: workspace.people.get(app.owner).name,
    team_id: workspace.team.id,
    user_id: app.owner,
    is_enterprise_install: false,
  }),

  "auth.revoke": (call) => {
    revokeToken(call, call.token, { state: "token_revoked", announce: true });
    return { revoked: true };
  },

  "team.info": ({ workspace }) => {
    const { id, name, domain } = workspace.team;
    return { team: { id, name, domain, url: `https://${domain}.slack.com/`, email_domain: "", icon: { image_default: true } } };
  },

  "bots.info": ({ workspace, args }) => {
    const person = [...workspace.people.values()].find((one) => one.bot_id === args.bot);
    const app = [...workspace.apps.values()].find((one) => one.bot_id === args.bot);
    if (!person && !app) throw new SlackError("bot_not_found");
    const bot = person ?? { bot_id: app.bot_id, app_id: app.id, real_name: app.name, updated: 1716360210 };
    const icons = { image_36: "", image_48: "", image_72: "" };
    return { bot: { id: bot.bot_id, deleted: false, name: bot.real_name, updated: bot.updated, app_id: bot.app_id, user_id: person?.id, icons } };
  },

  "emoji.list": () => ({ emoji: {}, cache_ts: "1716360210.000000", categories_version: "5", categories: [] }),
};
