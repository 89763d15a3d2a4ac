/** Figures of answers, which are numbers or amounts of money. */
import type { Cell, Money } from "../api/types";
import { metricValue, type Unit } from "../format";

/** The number of a figure. */
export function numberOf(cell: Cell | undefined): number | null {
  if (cell === null || cell === undefined) return null;
  return typeof cell === "number" ? cell : cell.value;
}

/** The amount of a figure that is one. */
export function moneyOf(cell: Cell | undefined): Money | null {
  return cell !== null && typeof cell === "object" ? cell : null;
}

/** A figure as a reader sees it. */
export function cellText(cell: Cell | undefined, unit: Unit): string {
  const money = moneyOf(cell);
  return metricValue(numberOf(cell), unit, undefined, money?.currency);
}
