/** The sheet of keyboard shortcuts, which can be turned off here. */
import { useState } from "preact/hooks";
import { keepShortcuts, readShortcuts } from "../state/preferences";
import { SHEET } from "../state/shortcuts";
import { Dialog } from "./dialog";

export function Keys({ onClose }: { onClose: () => void }) {
  const [on, setOn] = useState(readShortcuts);
  return (
    <Dialog title="Keyboard shortcuts" size="large" onClose={onClose}>
      <label class="choice">
        <input
          type="checkbox"
          checked={on}
          onChange={(event) => {
            keepShortcuts(event.currentTarget.checked);
            setOn(event.currentTarget.checked);
          }}
        />
        <span>Single keys are shortcuts on this device</span>
      </label>
      <div class="keys">
        {SHEET.map((group) => (
          <section key={group.title} aria-label={group.title}>
            <h3>{group.title}</h3>
            <dl>
              {group.keys.map(([keys, does]) => (
                <div key={keys}>
                  <dt>
                    <kbd>{keys}</kbd>
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
