/** The line that a web site pastes to be measured. */
import type { Site } from "../api/types";

/** Where a collector on the same machine listens unless told otherwise. */
const LOCAL_COLLECTOR_PORT = 8080;

/** The script element for a site, seen from the page's own address. */
export function snippet(site: Site, here: { protocol: string; hostname: string }): string {
  return `<script defer data-domain="${attribute(site.domain)}" src="${attribute(scriptUrl(site, here))}"></script>`;
}

function scriptUrl(site: Site, here: { protocol: string; hostname: string }): string {
  if (site.script_url) return site.script_url;
  if (["localhost", "127.0.0.1", "[::1]"].includes(here.hostname)) {
    return `http://${here.hostname}:${LOCAL_COLLECTOR_PORT}/js/script.js`;
  }
  return "https://your-collector.example/js/script.js";
}

function attribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
