/** A map of the world with a tone for each country. The tab of countries has the same figures as a list. */
import { geoNaturalEarth1, geoPath } from "d3-geo";
import { useEffect, useMemo, useState } from "preact/hooks";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import address from "world-atlas/countries-110m.json?url";
import type { ResultRow } from "../api/types";
import { country } from "../format";
import { Skeleton } from "../panel/list";
import { cellText, numberOf } from "../report/cells";
import { COLUMNS } from "../report/metrics";
import { type Filter, isFiltered } from "../state/filters";
import { codeOf } from "./codes";

const WIDTH = 560;
const HEIGHT = 290;
/** Tones of the map, the first for nobody. */
const TONES = 6;

interface Shape {
  code: string;
  path: string;
}

type World = Topology<{ countries: GeometryCollection }>;

let fetched: Promise<Shape[]> | null = null;

function shapes(): Promise<Shape[]> {
  fetched ??= fetch(address)
    .then((response) => response.json())
    .then((world: World) => {
      const all = feature(world, world.objects.countries);
      // Nobody lives on the Antarctic's part of the drawing.
      const land = { ...all, features: all.features.filter((one) => String(one.id) !== "010") };
      const path = geoPath(geoNaturalEarth1().fitSize([WIDTH, HEIGHT], land)).digits(1);
      return land.features.flatMap((one) => {
        const drawn = path(one);
        return drawn ? [{ code: codeOf(one.id) ?? "", path: drawn }] : [];
      });
    })
    .catch((cause: unknown) => {
      fetched = null;
      throw cause;
    });
  return fetched;
}

/** The tone of a country by its share of the highest figure: steps that small figures can reach too. */
export function toneOf(value: number, most: number): number {
  if (value <= 0 || most <= 0) return 0;
  return Math.max(1, Math.ceil(Math.sqrt(value / most) * (TONES - 1)));
}

interface Props {
  rows: ResultRow[];
  metrics: string[];
  filters: Filter[];
  onRow: (dimension: string, value: string, exclude: boolean) => void;
}

export function WorldMap({ rows, metrics, filters, onRow }: Props) {
  const [land, setLand] = useState<Shape[] | null>(null);
  const [over, setOver] = useState<string | null>(null);
  useEffect(() => {
    let left = false;
    shapes().then(
      (found) => !left && setLand(found),
      () => !left && setLand([]),
    );
    return () => {
      left = true;
    };
  }, []);
  const byCode = useMemo(() => new Map(rows.map((row) => [row.dimensions[0] ?? "", row])), [rows]);
  if (!land) return <Skeleton />;
  if (land.length === 0) {
    return <p class="empty">The map could not be fetched. The list of countries has the figures.</p>;
  }
  const figure = (code: string) => numberOf(byCode.get(code)?.metrics[0]) ?? 0;
  const most = Math.max(0, ...rows.map((row) => numberOf(row.metrics[0]) ?? 0));
  const shown = over ?? rows[0]?.dimensions[0] ?? null;
  const shownRow = shown === null ? undefined : byCode.get(shown);
  return (
    <>
      <svg
        class="map"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`Visitors by country, ${rows.length} countries. The tab Countries has them as a list.`}
        onPointerLeave={() => setOver(null)}
      >
        {land.map((shape, index) => (
          // biome-ignore lint/a11y/noStaticElementInteractions: the list of countries has the same choices for the keyboard.
          <path
            key={index}
            d={shape.path}
            class={`land tone-${toneOf(figure(shape.code), most)}${isFiltered(filters, "country", shape.code) ? " land-chosen" : ""}`}
            data-country={shape.code}
            onPointerEnter={() => setOver(shape.code)}
            onClick={(event) => figure(shape.code) > 0 && onRow("country", shape.code, event.altKey)}
          />
        ))}
      </svg>
      {shown !== null && (
        <p class="map-says">
          <strong>{country(shown)}</strong>{" "}
          {metrics.map((metric, index) => (
            <span key={metric}>
              {cellText(
                shownRow?.metrics[index] ?? (index === 0 ? 0 : null),
                COLUMNS[metric]?.unit ?? "count",
              )}{" "}
              {index === 0 ? "visitors" : ""}
            </span>
          ))}
        </p>
      )}
    </>
  );
}
