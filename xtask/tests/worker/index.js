// The smallest Worker that the launcher's tests need: it answers `versions`, counts in an object and in D1, and remembers crons.
import { DurableObject } from "cloudflare:workers";

class Counter extends DurableObject {
  async fetch() {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS counts (id INTEGER PRIMARY KEY, count INTEGER NOT NULL) STRICT");
    const add = "INSERT INTO counts VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET count = count + 1 RETURNING count";
    return Response.json({ count: this.ctx.storage.sql.exec(add).one().count });
  }
}

export class RoomObject extends Counter {}
export class UserSyncObject extends Counter {}
export class AppserviceObject extends Counter {}
export class LoginObject extends Counter {}
export class UserKeysObject extends Counter {}
export class PortalObject extends Counter {}
export class StorageProbe extends Counter {}
export class DiscordGatewayObject extends Counter {}

const json = (value, status = 200) => Response.json(value, { status });

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/_matrix/client/versions":
        return json({ versions: ["v1.11"] });
      case "/_hubbub/admin/v1/owner-link":
        if (request.headers.get("authorization") !== `Bearer ${env.ADMIN_TOKEN}`) return json({ error: "no" }, 403);
        return json({ url: `${env.PUBLIC_URL}/_hubbub/owner/x`, expires_at: 0, exists: false });
      case "/count":
        return env.ROOMS.getByName("one").fetch(request);
      case "/tables": {
        const { results } = await env.DB.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
        return json(results.map((row) => row.name));
      }
      case "/crons":
        return json(await env.KV.list());
      case "/limit":
        return json(await env.LOGIN_LIMIT.limit({ key: "one" }));
      case "/private":
        try {
          return json({ status: (await env.PUBLIC_FETCH.fetch(decodeURIComponent(new URL(request.url).search.slice(1)))).status });
        } catch (error) {
          return json({ refused: error.message });
        }
      case "/settings":
        return json({ ...env, MASTER_KEY: undefined, SIGNING_KEY: undefined, ADMIN_TOKEN: undefined });
      default:
        return json({ errcode: "M_UNRECOGNIZED" }, 404);
    }
  },
  async scheduled(event, env) {
    await env.KV.put(`cron ${event.cron}`, String(event.scheduledTime));
  },
};
