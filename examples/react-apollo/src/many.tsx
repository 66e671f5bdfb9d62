import { useApolloClient } from "@apollo/client/react";
import { useState } from "react";
import { SessionsDocument } from "./gql/graphql.ts";

/** Eight requests at once: where the access token has expired, one refresh serves them all, as the network panel shows. */
export function Many() {
  const client = useApolloClient();
  const [result, setResult] = useState("");

  async function ask() {
    setResult("");
    // Each differs from the others, or they would be answered as one.
    const asked = [1, 2, 3, 4, 5, 6, 7, 8].map((first) =>
      client.query({ query: SessionsDocument, variables: { first }, fetchPolicy: "network-only" }),
    );
    const answers = (await Promise.allSettled(asked)).filter(({ status }) => status === "fulfilled").length;
    setResult(`${answers} answers, ${asked.length - answers} errors`);
  }

  return (
    <section aria-label="Many at once">
      <h3>Many at once</h3>
      <button type="button" onClick={() => void ask()}>
        Ask eight times
      </button>
      <p role="status">{result}</p>
    </section>
  );
}
