// Asks the server at the URL given the way that Apollo Client and urql do where they are told to name documents by their hashes, and
// prints as JSON what each of them sent and got. Its arguments: the URL, and whether queries go by GET.
import { createHash } from "node:crypto";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { createClient, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";

const [url, method] = process.argv.slice(2);
const byGet = method === "GET";
const document = gql`
  query WhoAmI($coordinates: [String!]!) {
    can(coordinates: $coordinates)
  }
`;
const variables = { coordinates: ["Query.me"] };

// wire is a fetch that keeps what goes over it.
function wire() {
  const sent = [];
  const send = async (input, init = {}) => {
    const target = new URL(input);
    const body = init.body ? JSON.parse(init.body) : Object.fromEntries(target.searchParams);
    const extensions = typeof body.extensions === "string" ? JSON.parse(body.extensions) : body.extensions;
    const response = await fetch(input, init);
    sent.push({
      method: init.method,
      query: body.query || "",
      hash: extensions?.persistedQuery?.sha256Hash || "",
      status: response.status,
    });
    return response;
  };
  return { sent, send };
}

const sha256 = async (text) => createHash("sha256").update(text).digest("hex");

async function apollo() {
  const { sent, send } = wire();
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.from([
      new PersistedQueryLink({ sha256, useGETForHashedQueries: byGet }),
      new HttpLink({ uri: `${url}/graphql`, fetch: send }),
    ]),
  });
  const answers = [];
  for (let i = 0; i < 2; i++) {
    const { data, error } = await client.query({ query: document, variables, fetchPolicy: "network-only", errorPolicy: "all" });
    answers.push({ data, code: error?.errors?.[0]?.extensions?.code });
  }
  return { sent, answers };
}

async function urql() {
  const { sent, send } = wire();
  const client = createClient({
    url: `${url}/graphql`,
    fetch: send,
    exchanges: [persistedExchange({ preferGetForPersistedQueries: byGet }), fetchExchange],
  });
  const answers = [];
  for (let i = 0; i < 2; i++) {
    const { data, error } = await client.query(document, variables, { requestPolicy: "network-only" }).toPromise();
    answers.push({ data, code: error?.graphQLErrors?.[0]?.extensions?.code });
  }
  return { sent, answers };
}

console.log(JSON.stringify({ apollo: await apollo(), urql: await urql() }));
