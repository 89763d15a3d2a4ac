/** How the values of a dimension are written for a reader. */
import { country, flag } from "../format";

export interface Name {
  text: string;
  /** A flag, or nothing. */
  sign: string;
  /** The API can filter by it. */
  choosable: boolean;
}

/** The name of a row from its value and, where the API gave one, its words. */
export function nameOf(dimension: string, value: string, words?: string | null): Name {
  if (dimension === "country") {
    return { text: country(value), sign: flag(value), choosable: /^[A-Z]{2}$/.test(value) };
  }
  return {
    text: words || (value === "" ? "(not set)" : value),
    sign: dimension === "region" ? flag(value.slice(0, 2)) : "",
    choosable: value !== "",
  };
}
