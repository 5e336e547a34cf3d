// As much of Cloudflare's API as `cargo xtask deploy` meets, in memory, on a free port. Prints "ready URL"; `GET /log` lists the
// calls that changed something, `GET /script` what was uploaded last.
import http from "node:http";

const ACCOUNT = "/client/v4/accounts/test";
const account = { databases: [], namespaces: [], buckets: new Set(), secrets: new Map(), migrations: {}, script: undefined };
const changes = [];

const missing = (code, message) => ({ status: 404, errors: [{ code, message }] });
const parts = (body) => {
  const boundary = body.slice(0, body.indexOf("\r\n"));
  const metadata = body.split(boundary).find((part) => part.includes('name="metadata"'));
  return JSON.parse(metadata.slice(metadata.indexOf("\r\n\r\n")));
};

function query(path, sql) {
  const migrations = (account.migrations[path] ??= []);
  const applied = /INSERT INTO "?d1_migrations"?[^]*?\('(.+?)'\)/.exec(sql);
  if (applied) migrations.push(applied[1]);
  const rows = /SELECT[^]*FROM "?d1_migrations"?/.test(sql) ? migrations.map((name, index) => ({ id: index + 1, name })) : [];
  return { result: [{ results: rows, success: true, meta: { duration: 1, rows_read: 0, rows_written: 0 } }] };
}

function upload(body) {
  const metadata = parts(body);
  for (const binding of metadata.bindings) if (binding.type === "secret_text") account.secrets.set(binding.name, binding.text);
  account.script = metadata;
  const resources = { script: { etag: "one", handlers: ["fetch"] }, bindings: [] };
  return { result: { id: "hubbub", startup_time_ms: 10, deployment_id: "one", version_id: "one", resources } };
}

function find(list, key, value, add) {
  const found = list.find((entry) => entry[key] === value);
  if (found) return missing(1, "it exists");
  list.push(add);
  return { result: add };
}

const routes = [
  ["GET", /^\/workers\/scripts\/hubbub\/secrets$/, () => {
    if (!account.script) return missing(10007, "This Worker does not exist on your account.");
    return { result: [...account.secrets.keys()].map((name) => ({ name, type: "secret_text" })) };
  }],
  ["GET", /^\/d1\/database$/, () => ({ result: account.databases })],
  ["POST", /^\/d1\/database$/, ({ json }) => {
    const { name } = json();
    return find(account.databases, "name", name, { uuid: `database-${account.databases.length + 1}`, name });
  }],
  ["GET", /^\/d1\/database\/[^/]+$/, ({ last }) => ({ result: account.databases.find(({ uuid, name }) => [uuid, name].includes(last)) })],
  ["POST", /^\/d1\/database\/database-\d\/query$/, ({ json, path }) => query(path, json().sql)],
  ["GET", /^\/storage\/kv\/namespaces$/, ({ page }) => ({ result: page > 1 ? [] : account.namespaces })],
  ["POST", /^\/storage\/kv\/namespaces$/, ({ json }) => find(account.namespaces, "title", json().title, { id: "namespace-1", ...json() })],
  ["GET", /^\/r2\/buckets\/[^/]+$/, ({ last }) => {
    if (!account.buckets.has(last)) return missing(10006, "The specified bucket does not exist.");
    return { result: { name: last, creation_date: "2026-01-01T00:00:00Z", location: "weur", storage_class: "Standard" } };
  }],
  ["POST", /^\/r2\/buckets$/, ({ json }) => ({ result: account.buckets.add(json().name) && {} })],
  ["POST", /^\/graphql$/, () => ({ result: {} })],
  ["GET", /^\/workers\/services\/hubbub$/, () => {
    if (!account.script) return missing(10090, "workers.api.error.service_not_found");
    const script = { id: "hubbub", last_deployed_from: "wrangler", migration_tag: account.script.migrations?.new_tag ?? "v1" };
    return { result: { default_environment: { environment: "production", script } } };
  }],
  ["GET", /^\/workers\/scripts$/, () => ({ result: account.script ? [{ id: "hubbub", migration_tag: "v1" }] : [] })],
  ["GET", /^\/workers\/scripts\/hubbub\/settings$/, () => {
    return account.script ? { result: account.script } : missing(10007, "This Worker does not exist on your account.");
  }],
  ["GET", /^\/workers\/scripts\/hubbub\/deployments$/, () => ({ result: { deployments: [] } })],
  ["GET", /^\/workers\/scripts\/hubbub\/versions/, () => ({ result: { items: [] } })],
  ["PUT", /^\/workers\/scripts\/hubbub$/, ({ body }) => upload(body)],
  ["POST", /^\/workers\/scripts\/hubbub\/versions$/, ({ body }) => upload(body)],
  ["GET", /^\/workers\/subdomain$/, () => ({ result: { subdomain: "test" } })],
  ["GET", /^\/workers\/scripts\/hubbub\/subdomain$/, () => ({ result: { enabled: true, previews_enabled: false } })],
  ["GET", /^\/workers\/workers\/hubbub$/, () => ({ result: { subdomain: { enabled: true, previews_enabled: false } } })],
  ["POST", /^\/workers\/scripts\/hubbub\/domains\/changeset$/, () => {
    return { result: { added: [], removed: [], updated: [], conflicting: [] } };
  }],
  ["PUT", /^\/workers\/scripts\/hubbub\/schedules$/, () => ({ result: { schedules: [] } })],
];

const server = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString("latin1");
  const url = new URL(request.url, "http://fake.invalid");
  const answer = (status, value) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  if (url.pathname === "/log") return answer(200, changes);
  if (url.pathname === "/script") return answer(200, { ...account.script, secrets: Object.fromEntries(account.secrets) });
  const path = url.pathname.replace(ACCOUNT, "");
  if (request.method !== "GET" && !path.endsWith("/query")) changes.push(`${request.method} ${path}`);
  const route = routes.find(([method, pattern]) => method === request.method && pattern.test(path));
  const call = { path, body, json: () => JSON.parse(body), page: Number(url.searchParams.get("page") ?? 1), last: path.split("/").pop() };
  const { status = 200, errors = [], result = null } = route ? route[2](call) : { result: {} };
  return answer(status, { success: status === 200, errors, messages: [], result });
});
server.listen(0, "127.0.0.1", () => console.log(`ready http://127.0.0.1:${server.address().port}`));
