/** The window that is open above the page, if any; its code is fetched when it is. */
import type { Client } from "../api/client";
import type { QueryBody } from "../api/types";
import { panelOf, tabOf, withProperty } from "../report/panels";
import type { View } from "../report/queries";
import type { Command } from "../state/commands";
import { apiFilters, type Filter } from "../state/filters";
import type { Act } from "./commands";
import { lazyPart } from "./lazy-part";
import type { Kept } from "./use-site";

const ApiCall = lazyPart(() => import("../dialog/api-call").then((part) => part.ApiCall));
const Details = lazyPart(() => import("../dialog/details").then((part) => part.Details));
const FilterEditor = lazyPart(() => import("../dialog/filter-editor").then((part) => part.FilterEditor));
const Keys = lazyPart(() => import("../dialog/keys").then((part) => part.Keys));
const Ledger = lazyPart(() => import("../dialog/ledger").then((part) => part.Ledger));
const NameForm = lazyPart(() => import("../dialog/name-form").then((part) => part.NameForm));
const Notes = lazyPart(() => import("../dialog/notes").then((part) => part.Notes));
const Palette = lazyPart(() => import("../dialog/palette").then((part) => part.Palette));

export type Open =
  | { window: "palette" | "keys" | "ledger" | "segment" | "notes" }
  | { window: "filter"; filter: Filter | null }
  | { window: "note"; at: string }
  | { window: "api"; title: string; body: QueryBody };

interface Props extends Act {
  opened: Open | null;
  client: Client;
  view: View;
  zone: string;
  generation: number;
  kept: Kept;
  commands: Command[];
  onRow: (dimension: string, value: string, exclude: boolean) => void;
  /** Something was kept with the site. */
  onKept: () => void;
}

export function Windows(props: Props) {
  const { state, change, open, client, view } = props;
  return (
    <>
      {state.details !== null && (
        <Details
          client={client}
          view={view}
          panel={panelOf(state.details)}
          tab={detailsTab(props)}
          generation={props.generation}
          onRow={props.onRow}
          onApi={(title, body) => open({ window: "api", title, body })}
          onClose={() => change({ details: null })}
        />
      )}
      <Opened {...props} />
    </>
  );
}

function detailsTab({ state, kept }: Props) {
  const panel = panelOf(state.details ?? "pages");
  return withProperty(tabOf(panel, state.tabs[panel.name]), state.property ?? kept.properties[0] ?? null);
}

function Opened(props: Props) {
  const { opened, state, change, open, client, view, kept, site } = props;
  const close = () => open(null);
  const shares = site?.may?.includes("change_site") ?? false;
  const keep = async (path: string, fields: Record<string, unknown>) => {
    await client.call("POST", path, { site_id: view.site, ...fields });
    props.onKept();
  };
  switch (opened?.window) {
    case "palette":
      return <Palette commands={props.commands} onClose={close} />;
    case "keys":
      return <Keys onClose={close} />;
    case "ledger":
      return <Ledger client={client} site={view.site} zone={props.zone} onClose={close} />;
    case "api":
      return <ApiCall title={opened.title} body={opened.body} revision={state.revision} onClose={close} />;
    case "filter": {
      const { filter } = opened;
      return (
        <FilterEditor
          client={client}
          view={view}
          filter={filter}
          segments={kept.segments}
          properties={kept.properties}
          onFilter={(made) => {
            change({
              filters: filter
                ? state.filters.map((one) => (JSON.stringify(one) === JSON.stringify(filter) ? made : one))
                : [...state.filters, made],
            });
            close();
          }}
          onClose={close}
        />
      );
    }
    case "segment":
      return (
        <NameForm
          title="Save as segment"
          about="The filters under one name, to be used again."
          label="Name"
          action="Save segment"
          maxLength={200}
          mayShare={shares}
          onSave={(name, type) =>
            keep("/api/segments", { name, type, filters: apiFilters(state.filters, state.any) })
          }
          onClose={close}
        />
      );
    case "notes":
      return (
        <Notes
          client={client}
          site={view.site}
          notes={kept.annotations}
          mayShare={shares}
          mayWrite={site?.may?.includes("keep_segments") ?? false}
          onWrite={() => open({ window: "note", at: props.today })}
          onChanged={props.onKept}
          onClose={close}
        />
      );
    case "note":
      return (
        <NameForm
          title="Write a note"
          about={`It stands on the chart at ${opened.at.replace("T", " ")}.`}
          label="Note"
          action="Save note"
          maxLength={300}
          mayShare={shares}
          onSave={(note, type) => keep("/api/annotations", { at: opened.at.replace(" ", "T"), note, type })}
          onClose={close}
        />
      );
    default:
      return null;
  }
}
