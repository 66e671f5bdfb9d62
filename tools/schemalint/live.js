// Asks a running server about its schema as graphql-js's tools do, with every option and without each, and checks that what they
// build from the answer is what GET /schema.graphqls says to the same caller: for somebody anonymous, and for an editor, who sees
// more. The server is the example's, on a database of its own: all of Gatehouse, and something hidden.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { buildClientSchema, buildSchema, getIntrospectionQuery, printSchema, validateSchema } from "graphql";

const options = {
  descriptions: true,
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  schemaDescription: true,
  inputValueDeprecation: true,
  experimentalDirectiveDeprecation: true,
  oneOf: true,
};
const hidden = "noteCount";
const credentials = { email: "ed@example.com", password: "nine tulips by the canal" };

const folder = mkdtempSync(join(tmpdir(), "schemalint-"));
const program = join(folder, "notes");
const database = `--database-url=sqlite://${join(folder, "notes.db")}`;
const env = { PATH: process.env.PATH, HOME: folder };
const run = (args, input = "") => execFileSync(program, args, { env, input, encoding: "utf8" });

try {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  execFileSync("go", ["build", "-o", program, "./examples/notes"], { cwd: root, stdio: "inherit" });
  run(["migrate", database]);
  run(["user", "create", database, `--email=${credentials.email}`, "--role=EDITOR"], credentials.password);
  const server = spawn(program, ["serve", database, "--addr=127.0.0.1:0", "--log-format=json"], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(server, "exit");
  try {
    const url = await address(server);
    await check(url, {}, false);
    await check(url, { Authorization: `Bearer ${await login(url)}` }, true);
  } finally {
    server.kill();
    await ended;
  }
} finally {
  rmSync(folder, { recursive: true });
}

// address returns where the server answers, once its log says so.
async function address(server) {
  const lines = createInterface({ input: server.stderr });
  const said = [];
  for await (const line of lines) {
    said.push(line);
    const { url } = line.startsWith("{") ? JSON.parse(line) : {};
    if (url) {
      server.stderr.resume(); // what else it says is nobody's concern, but must not fill the pipe
      return url;
    }
  }
  throw new Error(`the server did not start:\n${said.join("\n")}`);
}

async function ask(url, headers, query, variables) {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

async function login(url) {
  const query = "mutation ($input: LoginInput!) { login(input: $input) { tokens { accessToken } } }";
  return (await ask(url, {}, query, { input: credentials })).login.tokens.accessToken;
}

async function check(url, headers, privileged) {
  const response = await fetch(`${url}/schema.graphqls`, { headers });
  assert.equal(response.status, 200);
  const said = buildSchema(await response.text());
  const answered = buildClientSchema(await ask(url, headers, getIntrospectionQuery(options)));
  assert.deepEqual(validateSchema(answered), []);
  assert.equal(printSchema(answered), printSchema(said), "introspection and /schema.graphqls tell of different schemas");
  assert.equal(hidden in answered.getQueryType().getFields(), privileged, `${hidden} is seen by the wrong people`);

  for (const option of Object.keys(options)) {
    const without = getIntrospectionQuery({ ...options, [option]: false });
    assert.deepEqual(validateSchema(buildClientSchema(await ask(url, headers, without))), [], `without ${option}`);
  }
}
