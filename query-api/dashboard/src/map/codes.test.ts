import { expect, it } from "vitest";
import world from "world-atlas/countries-110m.json";
import { country } from "../format";
import { codeOf } from "./codes";

/** What the geometry calls otherwise than the language does. */
const OTHERWISE =
  /\.|eSwatini|Côte|Macedonia|Myanmar|Congo|Turkey|United States|Bosnia|Palestin|Czechia|Trinidad/;

it("every country on the map has the code of its name", () => {
  const shapes = world.objects.countries.geometries as { id?: string; properties: { name: string } }[];
  for (const { id, properties } of shapes) {
    const code = codeOf(id);
    if (id === undefined || id === "010") expect(code).toBeNull();
    else if (!OTHERWISE.test(properties.name)) expect(country(code ?? "", "en")).toBe(properties.name);
    else expect(code).toMatch(/^[A-Z]{2}$/);
  }
});

it("knows no other numbers", () => {
  expect(codeOf(undefined)).toBeNull();
  expect(codeOf("999")).toBeNull();
});
