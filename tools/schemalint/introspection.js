// Checks with graphql-js that the golden answer to its own introspection query says what the schema's text says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { buildClientSchema, buildSchema, getIntrospectionQuery, parse, print, printSchema, validateSchema } from "graphql";

const read = (name) => readFileSync(new URL(`../../internal/operation/testdata/${name}`, import.meta.url), "utf8");

const query = getIntrospectionQuery({
  descriptions: true,
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  schemaDescription: true,
  inputValueDeprecation: true,
  experimentalDirectiveDeprecation: true,
  oneOf: true,
});
assert.equal(read("introspection.graphql"), `${print(parse(query))}\n`, "introspection.graphql is not graphql-js's full query");

const written = buildSchema(read("everything.graphqls"), { experimentalDirectivesOnDirectiveDefinitions: true });
const answered = buildClientSchema(JSON.parse(read("everything.json")));
assert.deepEqual(validateSchema(answered), []);
assert.equal(printSchema(answered), printSchema(written), "everything.json tells of another schema than everything.graphqls");
