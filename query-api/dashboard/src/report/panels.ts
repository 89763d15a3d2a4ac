/** The panels under the chart and their tabs. Funnels and journeys will be tabs of behaviour. */
import type { FilterLeaf } from "../api/types";

export type PanelName = "sources" | "pages" | "locations" | "technology" | "behaviour" | "shop" | "vitals";

export interface Tab {
  /** Stands in the address. */
  name: string;
  label: string;
  /** Short name of the dimension; a row filters by it. */
  dimension: string;
  /** A further dimension that says the same in words. */
  naming?: string;
  /** Head of the first column. */
  column: string;
  /** Figures of a row, the first of which orders the list and is drawn as its bar. */
  metrics: string[];
  /** All that the details know. */
  details: string[];
  /** What the rows are counted among, beside the page's filters. */
  among?: FilterLeaf;
  /** A row of this name says "nothing known" and is left out. */
  leaveOut?: string;
  /** Shown instead of an empty list. */
  empty: string;
  /** What it looks like, where it is no list. */
  look?: "map" | "goals" | "properties";
  /** Stands under another tab, which chooses among several by a menu. */
  under?: string;
}

export interface Panel {
  name: PanelName;
  title: string;
  wide?: boolean;
  tabs: [Tab, ...Tab[]];
}

const VISITORS = ["visitors", "percentage"];
const OF_VISITS = ["visitors", "percentage", "visits", "bounce_rate", "visit_duration"];
const OF_REVENUE = ["total_revenue", "average_revenue"];
const ANY_GOAL: FilterLeaf = ["contains", "event:goal", [""]];

function visits(
  name: string,
  label: string,
  dimension: string,
  column: string,
  empty: string,
  more: Partial<Tab> = {},
): Tab {
  return { name, label, dimension, column, empty, metrics: VISITORS, details: OF_VISITS, ...more };
}

const campaign = (name: string, column: string): Tab =>
  visits(name, column, name, column, "No campaigns. Links with utm_campaign in their address appear here.", {
    leaveOut: "(not set)",
    ...(name === "utm_campaign" ? {} : { under: "utm_campaign" }),
  });

function revenue(name: string, label: string, dimension: string, column: string): Tab {
  const isProperty = dimension.startsWith("props:");
  return {
    name,
    label,
    dimension,
    column,
    metrics: OF_REVENUE,
    details: [...OF_REVENUE, "visitors"],
    among: ANY_GOAL,
    ...(isProperty ? { leaveOut: "(none)" } : {}),
    empty: isProperty
      ? `No revenue by ${label.toLowerCase()}. Send the property “${dimension.slice(6)}” with your orders.`
      : "No revenue in this period.",
  };
}

export const PANELS: Panel[] = [
  {
    name: "sources",
    title: "Sources",
    tabs: [
      visits("channels", "Channels", "channel", "Channel", "No visits, so no channels."),
      visits("sources", "Sources", "source", "Source", "No visits, so no sources."),
      visits("referrers", "Referrers", "referrer", "Referrer", "No page linked here.", {
        leaveOut: "Direct / None",
      }),
      { ...campaign("utm_campaign", "Campaign"), label: "Campaigns" },
      campaign("utm_source", "UTM source"),
      campaign("utm_medium", "UTM medium"),
      campaign("utm_content", "UTM content"),
      campaign("utm_term", "UTM term"),
    ],
  },
  {
    name: "pages",
    title: "Pages",
    tabs: [
      {
        name: "top",
        label: "Top",
        dimension: "page",
        column: "Page",
        metrics: ["visitors", "pageviews"],
        details: ["visitors", "percentage", "pageviews", "bounce_rate", "time_on_page", "scroll_depth"],
        empty: "No pages were viewed.",
      },
      {
        name: "entry",
        label: "Entry",
        dimension: "entry_page",
        column: "Entry page",
        metrics: ["visitors", "visits"],
        details: OF_VISITS,
        empty: "No visit began here.",
      },
      {
        name: "exit",
        label: "Exit",
        dimension: "exit_page",
        column: "Exit page",
        metrics: ["visitors", "visits"],
        details: ["visitors", "percentage", "visits", "exit_rate"],
        empty: "No visit ended here.",
      },
      {
        name: "outbound",
        label: "Outbound",
        dimension: "props:url",
        column: "Link to",
        metrics: ["visitors", "events"],
        details: ["visitors", "events"],
        among: ["is", "event:name", ["Outbound Link: Click"]],
        leaveOut: "(none)",
        empty: "No link to another site was followed. The script counts them with “outbound-links”.",
      },
      {
        name: "404",
        label: "404",
        dimension: "props:path",
        column: "Missing page",
        metrics: ["visitors", "events"],
        details: ["visitors", "events"],
        among: ["is", "event:name", ["404"]],
        leaveOut: "(none)",
        empty: "No visitor met a missing page.",
      },
    ],
  },
  {
    name: "locations",
    title: "Locations",
    tabs: [
      visits("map", "Map", "country", "Country", "No countries are known.", { look: "map" }),
      visits("countries", "Countries", "country", "Country", "No countries are known."),
      visits(
        "regions",
        "Regions",
        "region",
        "Region",
        "No regions are known. They need a proxy or an edge that tells them.",
        {
          naming: "visit:region_name",
          leaveOut: "(not set)",
        },
      ),
      visits(
        "cities",
        "Cities",
        "city",
        "City",
        "No cities are known. They need a proxy or an edge that tells them.",
        {
          naming: "visit:city_name",
          leaveOut: "(not set)",
        },
      ),
    ],
  },
  {
    name: "technology",
    title: "Technology",
    tabs: [
      visits("browsers", "Browsers", "browser", "Browser", "No browsers."),
      visits("versions", "Browser versions", "browser_version", "Version", "No versions.", {
        under: "browsers",
      }),
      visits("os", "Systems", "os", "Operating system", "No systems."),
      visits("os_versions", "System versions", "os_version", "Version", "No versions.", { under: "os" }),
      visits("devices", "Devices", "device", "Device", "No devices."),
    ],
  },
  {
    name: "behaviour",
    title: "Behaviour",
    wide: true,
    tabs: [
      {
        name: "goals",
        label: "Goals",
        dimension: "goal",
        column: "Goal",
        metrics: ["visitors", "events", "conversion_rate", "total_revenue"],
        details: ["visitors", "events", "conversion_rate", "total_revenue", "average_revenue"],
        look: "goals",
        empty: "No goal was reached. Goals are made in the site's settings.",
      },
      {
        name: "properties",
        label: "Properties",
        dimension: "props:",
        column: "Value",
        metrics: ["visitors", "events", "percentage"],
        details: ["visitors", "events", "percentage"],
        look: "properties",
        empty: "No event has this property.",
      },
    ],
  },
  {
    name: "shop",
    title: "Revenue",
    tabs: [
      revenue("products", "Products", "props:product", "Product"),
      revenue("revenue-sources", "Sources", "source", "Source"),
      revenue("revenue-channels", "Channels", "channel", "Channel"),
      revenue("revenue-countries", "Countries", "country", "Country"),
      revenue("coupons", "Coupons", "props:coupon", "Coupon"),
    ],
  },
  {
    name: "vitals",
    title: "Web vitals",
    tabs: [visits("vitals", "Web vitals", "name", "Vital", "")],
  },
];

/** The tab of a name, else the panel's first. */
export function tabOf(panel: Panel, name: string | null): Tab {
  return panel.tabs.find((tab) => tab.name === name) ?? panel.tabs[0];
}

/** The panel of a name. */
export function panelOf(name: PanelName): Panel {
  return PANELS.find((panel) => panel.name === name) ?? (PANELS[0] as Panel);
}

/** A tab with the property that it is to show. */
export function withProperty(tab: Tab, property: string | null): Tab {
  return tab.look === "properties"
    ? { ...tab, dimension: `props:${property ?? ""}`, column: property ?? "Value" }
    : tab;
}
