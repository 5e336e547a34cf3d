// Applies migrations/NNNN_*.sql to D1 in order, each in one batch with its row in `d1_migrations`, the table that
// `wrangler d1 migrations apply` keeps: so a database moved between the two is never migrated twice.

const TABLE = `CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`;

/** Applies what is missing; returns the names of what it applied. */
export async function migrate(database, migrations) {
  await database.prepare(TABLE).run();
  const { results } = await database.prepare("SELECT name FROM d1_migrations").all();
  const applied = new Set(results.map((row) => row.name));
  const missing = migrations.filter((migration) => !applied.has(migration.name));
  for (const { name, sql } of missing) {
    const statements = splitStatements(sql).map((statement) => database.prepare(statement));
    try {
      await database.batch([...statements, database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name)]);
    } catch (error) {
      throw new Error(`${name}: ${error.message}`);
    }
  }
  return missing.map((migration) => migration.name);
}

/** Cuts a script at the semicolons that end a statement: not those in strings, comments or a trigger's body. */
export function splitStatements(sql) {
  const token = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|\/\*[^]*?\*\/|;|[A-Za-z_]\w*|[^]/g;
  const statements = [];
  let text = "";
  let words = [];
  let depth = 0;
  for (const [piece] of sql.matchAll(token)) {
    if (piece.startsWith("--") || piece.startsWith("/*")) {
      text += " ";
      continue;
    }
    if (/^[A-Za-z_]/.test(piece)) {
      const word = piece.toUpperCase();
      words.push(word);
      const inTrigger = words[0] === "CREATE" && words.slice(1, 3).includes("TRIGGER");
      if (inTrigger && (word === "BEGIN" || word === "CASE")) depth += 1;
      if (inTrigger && word === "END") depth -= 1;
    }
    if (piece === ";" && depth === 0) {
      if (text.trim()) statements.push(text.trim());
      text = "";
      words = [];
      continue;
    }
    text += piece;
  }
  if (text.trim()) statements.push(text.trim());
  return statements;
}
