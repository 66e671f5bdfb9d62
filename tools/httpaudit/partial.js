// Sends the server at the URL given, by Apollo Client and by urql, an operation that runs and fails, and prints as JSON the status
// with which the answer came, and the code and the name of the error that each library made of it.
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { createClient, fetchExchange } from "@urql/core";

const url = `${process.argv[2]}/graphql`;
const mutation = gql`
  mutation LogOut {
    logout {
      endedSessions
    }
  }
`;

let status;
const watched = async (...request) => {
  const response = await fetch(...request);
  status = response.status;
  return response;
};

async function apollo() {
  const client = new ApolloClient({ cache: new InMemoryCache(), link: new HttpLink({ uri: url, fetch: watched }) });
  const { error } = await client.mutate({ mutation, errorPolicy: "all" });
  return { status, name: error?.name, code: error?.errors?.[0]?.extensions?.code };
}

async function urql() {
  const client = createClient({ url, fetch: watched, exchanges: [fetchExchange] });
  const { error } = await client.mutation(mutation, {}).toPromise();
  return { status, name: error?.networkError ? "network" : error?.name, code: error?.graphQLErrors?.[0]?.extensions?.code };
}

console.log(JSON.stringify({ apollo: await apollo(), urql: await urql() }));
