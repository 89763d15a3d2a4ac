/** Does what the reader's keys ask for. */
import { go } from "../router/navigate";
import { choiceOfKey } from "../state/choices";
import { canCompare } from "../state/comparison";
import { intervalOf, intervals } from "../state/interval";
import { neighbour, rangeOf } from "../state/period";
import type { Intent } from "../state/shortcuts";
import type { Act } from "./commands";
import { useKeys } from "./use-keys";

export function useIntents(act: Act, busy: boolean): void {
  useKeys((intent) => {
    if (intent.does === "palette") {
      act.open({ window: "palette" });
      return true;
    }
    return busy ? false : carryOut(intent, act);
  });
}

/** Whether something was done. */
function carryOut(intent: Intent, act: Act): boolean {
  const { state, change, today } = act;
  switch (intent.does) {
    case "period": {
      const choice = choiceOfKey(intent.key, today);
      if (choice) change({ period: choice.period, interval: null });
      return choice !== undefined;
    }
    case "custom":
      document.querySelector<HTMLElement>("[data-opener=C]")?.click();
      return true;
    case "step": {
      const next = neighbour(state.period, today, intent.by);
      if (next) change({ period: next });
      return next !== null;
    }
    case "interval": {
      const range = rangeOf(state.period, today);
      const offered = intervals(state.period, range);
      const at = offered.indexOf(intervalOf(state.interval, state.period, range));
      change({ interval: offered[(at + 1) % offered.length] ?? null });
      return true;
    }
    case "compare":
      if (!canCompare(state.period)) return false;
      change({ comparison: state.comparison ? null : { mode: "previous_period", matchWeekday: false } });
      return true;
    case "clear":
      if (state.filters.length === 0) return false;
      change({ filters: [], any: false });
      return true;
    case "filter":
      act.open({ window: "filter", filter: null });
      return true;
    case "help":
      act.open({ window: "keys" });
      return true;
    case "site": {
      if (act.who.kind === "link") return false;
      const site = act.sites[intent.index];
      if (intent.index < 0) go("/sites");
      else if (site) act.onSite(site.domain);
      return intent.index < 0 || site !== undefined;
    }
    default:
      return false;
  }
}
