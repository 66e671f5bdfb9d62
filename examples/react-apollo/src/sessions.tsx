import { useMutation, useQuery } from "@apollo/client/react";
import { RevokeSessionDocument, SessionsDocument } from "./gql/graphql.ts";

export function Sessions() {
  const { data, refetch } = useQuery(SessionsDocument, { variables: { first: 100 } });
  const [revoke] = useMutation(RevokeSessionDocument, { refetchQueries: [SessionsDocument] });
  return (
    <section aria-label="Sessions">
      <h3>Sessions</h3>
      <ul>
        {data?.me?.sessions?.nodes.map(({ id, device, current, lastSeenAt }) => (
          <li key={id}>
            <span>
              {device} {current && <em>this one</em>}
              <small>
                last seen <time dateTime={lastSeenAt}>{new Date(lastSeenAt).toLocaleString()}</time>
              </small>
            </span>
            <button
              type="button"
              aria-label={`Revoke ${device}`}
              onClick={() => void revoke({ variables: { input: { sessionId: id } } }).catch(() => undefined)}
            >
              Revoke
            </button>
          </li>
        ))}
      </ul>
      <button type="button" onClick={() => void refetch()}>
        Show again
      </button>
    </section>
  );
}
