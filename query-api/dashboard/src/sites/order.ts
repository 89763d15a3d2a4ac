/** Orders of the overview. */
import type { Site } from "../api/types";
import { change, type Glance } from "./overview-queries";

export type Order = "visitors" | "change" | "name";

export const ORDERS: { name: Order; label: string }[] = [
  { name: "visitors", label: "Most visitors" },
  { name: "change", label: "Fastest growing" },
  { name: "name", label: "By name" },
];

/** `sites` are in order of their names, which decides between equals; sites without figures come last. */
export function inOrder(sites: Site[], order: Order, glances: Map<string, Glance | null>): Site[] {
  if (order === "name") return sites;
  const value = (site: Site) => {
    const glance = glances.get(site.domain);
    if (!glance) return Number.NEGATIVE_INFINITY;
    return order === "visitors" ? glance.visitors : (change(glance.visitors, glance.before) ?? -2);
  };
  const valued = sites.map((site) => ({ site, value: value(site) }));
  return valued
    .sort((one, other) => (one.value === other.value ? 0 : other.value - one.value))
    .map(({ site }) => site);
}
