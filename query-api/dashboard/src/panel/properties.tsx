/** Values of one property, which a menu or a name chooses. */
import { useRef } from "preact/hooks";
import { type Tab, withProperty } from "../report/panels";
import { List } from "./list";
import type { PanelProps } from "./panel";

interface Props extends PanelProps {
  tab: Tab;
  property: string | null;
  properties: string[];
  onProperty: (property: string) => void;
}

export function Properties(props: Props) {
  const field = useRef<HTMLInputElement>(null);
  const names = [...new Set([...props.properties, ...(props.property ? [props.property] : [])])].sort();
  const shown = props.property ?? names[0] ?? null;
  const head =
    names.length > 0 ? (
      <select
        class="inline-select"
        aria-label="Property"
        value={shown ?? ""}
        onChange={(event) => props.onProperty(event.currentTarget.value)}
      >
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    ) : (
      <form
        class="property-form"
        onSubmit={(event) => {
          event.preventDefault();
          const name = field.current?.value.trim();
          if (name) props.onProperty(name);
        }}
      >
        <label>
          <span>Property</span> <input ref={field} type="text" maxLength={300} placeholder="author" />
        </label>
        <button type="submit" class="button">
          Show
        </button>
      </form>
    );
  if (shown === null) {
    return (
      <div class="list">
        {head}
        <p class="empty">
          Events can carry properties such as an author or a plan. Name one, or define them in the site's
          settings.
        </p>
      </div>
    );
  }
  return <List key={shown} {...props} tab={withProperty(props.tab, shown)} title="Properties" head={head} />;
}
