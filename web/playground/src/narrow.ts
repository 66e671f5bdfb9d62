import { useGraphiQL } from "@graphiql/react";
import { useEffect } from "react";

/** Whether everything stands below each other, as on a phone. */
export const narrow = window.matchMedia("(max-width: 720px)");

const still = window.matchMedia("(prefers-reduced-motion: reduce)");

/** Shows what comes of an operation that is run where the result is out of sight, below the editor. */
export function Results(): null {
  const running = useGraphiQL((state) => state.isFetching);
  useEffect(() => {
    const behavior = still.matches ? "auto" : "smooth";
    if (running && narrow.matches) document.querySelector(".graphiql-response")?.scrollIntoView({ behavior, block: "nearest" });
  }, [running]);
  return null;
}
