/** The lists under the chart and their tabs. */

export type PanelName = "pages" | "sources" | "countries" | "devices";

export interface Tab {
  /** Stands in the address. */
  name: string;
  label: string;
  /** Short name of the dimension; a row filters by it. */
  dimension: string;
  /** Head of the first column. */
  column: string;
  /** A second metric with its head; without one the share of all visitors is shown. */
  second?: { metric: "pageviews" | "visits"; label: string };
  /** A row of this name says "nothing known" and is left out. */
  leaveOut?: string;
  /** Shown instead of an empty list. */
  empty: string;
}

export interface Panel {
  name: PanelName;
  title: string;
  tabs: [Tab, ...Tab[]];
}

export const PANELS: Panel[] = [
  {
    name: "pages",
    title: "Pages",
    tabs: [
      {
        name: "top",
        label: "Top",
        dimension: "page",
        column: "Page",
        second: { metric: "pageviews", label: "Views" },
        empty: "No pages were viewed.",
      },
      {
        name: "entry",
        label: "Entry",
        dimension: "entry_page",
        column: "Entry page",
        second: { metric: "visits", label: "Entries" },
        empty: "No visit began here.",
      },
      {
        name: "exit",
        label: "Exit",
        dimension: "exit_page",
        column: "Exit page",
        second: { metric: "visits", label: "Exits" },
        empty: "No visit ended here.",
      },
    ],
  },
  {
    name: "sources",
    title: "Sources",
    tabs: [
      {
        name: "sources",
        label: "Sources",
        dimension: "source",
        column: "Source",
        empty: "No sources.",
      },
      {
        name: "channels",
        label: "Channels",
        dimension: "channel",
        column: "Channel",
        empty: "No channels.",
      },
      {
        name: "referrers",
        label: "Referrers",
        dimension: "referrer",
        column: "Referrer",
        empty: "No referrers.",
      },
      {
        name: "campaigns",
        label: "Campaigns",
        dimension: "utm_campaign",
        column: "UTM campaign",
        leaveOut: "(not set)",
        empty: "No campaigns. Links with utm_campaign in their address appear here.",
      },
    ],
  },
  {
    name: "countries",
    title: "Countries",
    tabs: [
      {
        name: "countries",
        label: "Countries",
        dimension: "country",
        column: "Country",
        empty: "No countries are known.",
      },
    ],
  },
  {
    name: "devices",
    title: "Devices",
    tabs: [
      { name: "devices", label: "Devices", dimension: "device", column: "Device", empty: "No devices." },
      { name: "browsers", label: "Browsers", dimension: "browser", column: "Browser", empty: "No browsers." },
      { name: "os", label: "Systems", dimension: "os", column: "Operating system", empty: "No systems." },
    ],
  },
];

/** The tab of a name, else the panel's first. */
export function tabOf(panel: Panel, name: string | null): Tab {
  return panel.tabs.find((tab) => tab.name === name) ?? panel.tabs[0];
}
