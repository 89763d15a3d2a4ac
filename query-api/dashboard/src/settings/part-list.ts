/** The parts of a site's settings, in the order of the list beside them. */
import type { ComponentType } from "preact";
import type { SiteApi, SiteSettings } from "./api";
import { General } from "./general";
import { Goals } from "./goals";
import { Keys } from "./keys";
import { Links } from "./links";
import { Properties } from "./properties";
import { Segments } from "./segments";
import { Setup } from "./setup";
import { ShieldsPart } from "./shields";

/** What every part is given. */
export interface PartProps {
  api: SiteApi;
  settings: SiteSettings;
  mayChange: boolean;
  onSettings: (settings: SiteSettings) => void;
  /** The list of sites has to be asked for again. */
  onChanged: () => void;
}

interface Part {
  name: string;
  label: string;
  Part: ComponentType<PartProps>;
}

const SETUP: Part = { name: "setup", label: "Snippet", Part: Setup };

export const PARTS: Part[] = [
  SETUP,
  { name: "general", label: "General", Part: General },
  { name: "goals", label: "Goals", Part: Goals },
  { name: "properties", label: "Properties", Part: Properties },
  { name: "shields", label: "Shields", Part: ShieldsPart },
  { name: "segments", label: "Segments", Part: Segments },
  { name: "links", label: "Shared links", Part: Links },
  { name: "keys", label: "Keys", Part: Keys },
];

/** The part of a name; the first for any other. */
export function partOf(name: string | null): Part {
  return PARTS.find((part) => part.name === name) ?? SETUP;
}
