/** Single keys that do something, ignored while a reader writes. */

/** What a key asks for. */
export type Intent =
  | { does: "period"; key: string }
  | { does: "custom" | "interval" | "compare" | "search" | "clear" | "help" | "palette" | "filter" }
  | { does: "step"; by: -1 | 1 }
  | { does: "site"; index: number };

/** The sheet of shortcuts, in groups. */
export const SHEET: { title: string; keys: [keys: string, does: string][] }[] = [
  {
    title: "Period",
    keys: [
      ["D", "Today"],
      ["E", "Yesterday"],
      ["R", "Last 30 minutes"],
      ["H", "Last 24 hours"],
      ["W", "Last 7 days"],
      ["F", "Last 28 days"],
      ["T", "Last 30 days"],
      ["N", "Last 91 days"],
      ["M", "This month"],
      ["P", "Last month"],
      ["Y", "This year"],
      ["S", "Last 6 months"],
      ["L", "Last 12 months"],
      ["A", "All time"],
      ["C", "Own dates"],
      ["← →", "Period before, after"],
    ],
  },
  {
    title: "View",
    keys: [
      ["X", "Compare"],
      ["I", "Next interval"],
      ["/", "Filter"],
      ["Esc", "Clear filters"],
      ["1 – 9", "Go to a site"],
      ["0", "All sites"],
      ["Ctrl K", "Commands"],
      ["?", "This sheet"],
    ],
  },
  {
    title: "On the chart",
    keys: [
      ["← →", "Move along"],
      ["Shift ← →", "Mark a stretch"],
      ["Enter", "Open the day, or the stretch"],
      ["M", "Write a note"],
    ],
  },
];

const PERIODS = "DERHWFTNMPYSLA";

/** What a pressed key asks for; null when it is none of ours. `single` are shortcuts of one key. */
export function intentOf(
  event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">,
  single: boolean,
): Intent | null {
  const key = event.key;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && key.toLowerCase() === "k")
    return { does: "palette" };
  if (!single || event.ctrlKey || event.metaKey || event.altKey) return null;
  if (key === "?") return { does: "help" };
  if (event.shiftKey) return null;
  if (key.length === 1 && PERIODS.includes(key.toUpperCase())) return { does: "period", key };
  if (/^[1-9]$/.test(key)) return { does: "site", index: Number(key) - 1 };
  switch (key) {
    case "0":
      return { does: "site", index: -1 };
    case "ArrowLeft":
      return { does: "step", by: -1 };
    case "ArrowRight":
      return { does: "step", by: 1 };
    case "c":
      return { does: "custom" };
    case "i":
      return { does: "interval" };
    case "x":
      return { does: "compare" };
    case "/":
      return { does: "filter" };
    case "Escape":
      return { does: "clear" };
    default:
      return null;
  }
}

/** Whether an element takes keys for itself. */
export function takesKeys(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.closest("input, textarea, select, dialog, [role=combobox]") !== null)
  );
}
