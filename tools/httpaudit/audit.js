// Plays every audit of the npm package graphql-http, of what GraphQL over HTTP says a server MUST, SHOULD and MAY do, against the
// server at the URL given, and prints what came of each as JSON.
import { auditServer } from "graphql-http";

const results = await auditServer({ url: `${process.argv[2]}/graphql` });
console.log(JSON.stringify(results.map(({ id, name, status, reason }) => ({ id, name, status, reason }))));
