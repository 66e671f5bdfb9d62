// What the Relay compiler reads: documents in code, each with the name of its module and the kind of its operation.
import { graphql } from "relay-runtime";

export const page = graphql`
  query SessionsQuery {
    ...Sessions_query
  }
`;

// No type implements Node, so what is fetched again, for the next page say, is a part of Query.
export const list = graphql`
  fragment Sessions_query on Query
  @refetchable(queryName: "SessionsPageQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" }) {
    me {
      sessions(first: $first, after: $after) @connection(key: "Sessions_sessions") {
        edges {
          node {
            id
            device
            current
          }
        }
      }
    }
  }
`;

export const revoke = graphql`
  mutation SessionsRevokeMutation($input: RevokeSessionInput!) {
    revokeSession(input: $input) {
      revokedSessionId @deleteRecord
      userErrors {
        code
        message
      }
    }
  }
`;
