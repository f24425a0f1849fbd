// PostgreSQL: each change is one UPDATE … RETURNING that also sends the notification, in a transaction of its own.
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";

export const name = "PostgreSQL";

/** Number of connections of a replica; more of them are slower on two cores. */
const POOL = 32;
const RECONNECT_MS = 20;
const TABLE = `
CREATE TABLE IF NOT EXISTS agents (
  id text PRIMARY KEY, task_id text NOT NULL, state text NOT NULL, version int NOT NULL DEFAULT 1,
  since timestamptz NOT NULL DEFAULT now(), started_at timestamptz, completed_at timestamptz,
  fields jsonb NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS agents_by_state ON agents (state, since);`;

const notify = (change) =>
  `pg_notify('agents', json_build_object('id', id, 'state', state, 'version', version, 'change', ${change})::text)`;
const move = (state, from, stamp) => ({
  name: state,
  text: `UPDATE agents SET state = '${state}', version = version + 1, since = now(), ${stamp} = now()
    WHERE id = $1 AND state IN (${from}) RETURNING state, version, ${notify("state")}`,
});
const QUERIES = {
  create: {
    name: "create",
    text: `INSERT INTO agents (id, task_id, state) VALUES ($1, 't-1234567', 'spawning')
      ON CONFLICT DO NOTHING RETURNING state, version, ${notify("'created'")}`,
  },
  run: move("running", "'spawning'", "started_at"),
  complete: move("completed", "'running'", "completed_at"),
  kill: move("killed", "'spawning', 'running'", "completed_at"),
  patch: {
    name: "patch",
    text: `UPDATE agents SET fields = fields || jsonb_build_object($2::text, $3::text), version = version + 1
      WHERE id = $1 RETURNING state, version, ${notify("$2::text || '=' || $3::text")}`,
  },
  read: { name: "read", text: "SELECT state, fields FROM agents WHERE id = $1" },
};

export async function open({ postgres }) {
  const pool = new pg.Pool({ connectionString: postgres, max: POOL });
  pool.on("error", () => {});
  const query = async (name, ...values) => (await pool.query({ ...QUERIES[name], values })).rows[0];
  const change = async (...words) => (await query(...words)) !== undefined;
  return {
    prepare: () => pool.query(TABLE),
    create: (id) => change("create", id),
    run: async (id) => ((await change("run", id)) ? id : null),
    patch: (id, field, value) => change("patch", id, field, value),
    complete: (id) => change("complete", id),
    kill: (id) => change("kill", id),
    read: (id) => query("read", id),
    listen: (listener) => followNotifications(postgres, listener),
    close: () => pool.end(),
  };
}

/** Listens, and connects again after a lost connection. */
async function followNotifications(connectionString, listener) {
  let isOpen = true;
  let client;
  const connect = async () => {
    client = new pg.Client({ connectionString });
    const ended = new Promise((done) => client.once("end", done));
    client.on("error", () => {});
    client.on("notification", ({ payload }) => {
      const { id, change } = JSON.parse(payload);
      listener(id, change);
    });
    await client.connect();
    await client.query("LISTEN agents");
    return { ended };
  };
  const follow = async (first) => {
    for (
      let connection = first;
      ;
      connection = await connect().catch(() => ({ ended: pause(RECONNECT_MS) }))
    ) {
      await connection.ended;
      if (!isOpen) return;
    }
  };
  follow(await connect()).catch(() => {});
  return {
    close: () => {
      isOpen = false;
      return client.end();
    },
  };
}
