/** Which room of the dashboard an address names. */

/** A room, with what its address says. */
export type Route =
  | { name: "view" }
  | { name: "sites" }
  | { name: "settings"; site: string | null; part: string | null }
  | { name: "operator"; part: string | null }
  | { name: "share"; site: string; slug: string | null; embed: boolean; theme: "light" | "dark" | null }
  | { name: "nowhere" };

/** The room of an address; `search` with or without its question mark. */
export function parseRoute(pathname: string, search: string): Route {
  const parameters = new URLSearchParams(search);
  const path = pathname.replace(/\/+$/, "") || "/";
  switch (path) {
    case "/":
    // Whoever has signed in has nothing to do there.
    case "/sign-in":
      return { name: "view" };
    case "/sites":
      return { name: "sites" };
    case "/settings":
      return { name: "settings", site: parameters.get("site") || null, part: parameters.get("part") };
    case "/operator":
      return { name: "operator", part: parameters.get("part") };
  }
  const shared = /^\/share\/([^/]+)$/.exec(path)?.[1];
  if (shared === undefined) return { name: "nowhere" };
  const site = decoded(shared);
  if (site === null) return { name: "nowhere" };
  const theme = parameters.get("theme");
  return {
    name: "share",
    site,
    slug: parameters.get("auth") || null,
    embed: parameters.get("embed") === "true",
    theme: theme === "light" || theme === "dark" ? theme : null,
  };
}

/** The address of a site's figures. */
export function viewAddress(site: string): string {
  return `/?site=${encodeURIComponent(site)}`;
}

/** The address of a site's settings. */
export function settingsAddress(site: string, part?: string): string {
  return `/settings?site=${encodeURIComponent(site)}${part ? `&part=${encodeURIComponent(part)}` : ""}`;
}

/** Text behind percent signs; null when there is none. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
