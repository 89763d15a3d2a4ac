/** The menu at the end of the bar: everything that is not needed all the time. */
import { Link } from "../router/link";
import type { Command } from "../state/commands";
import { More } from "./icons";
import { Popover } from "./popover";

/** Rooms to go to. */
export interface Room {
  label: string;
  href: string;
}

export function Menu({ commands, rooms }: { commands: Command[]; rooms: Room[] }) {
  const label = (
    <>
      <More />
      <span class="hidden">More</span>
    </>
  );
  return (
    <Popover label={label} name="More" buttonClass="button button-icon" title="More">
      {(close) => (
        <div class="menu">
          {rooms.length > 0 && (
            <ul>
              {rooms.map((room) => (
                <li key={room.href}>
                  <Link href={room.href} class="menu-link">
                    {room.label}
                  </Link>
                </li>
              ))}
            </ul>
          )}
          <ul>
            {commands.map((command, index) => (
              <li key={command.label}>
                <button
                  type="button"
                  data-first={index === 0 ? true : undefined}
                  onClick={() => {
                    close();
                    command.run();
                  }}
                >
                  <span>{command.label}</span>
                  {command.key && <kbd>{command.key}</kbd>}
                </button>
              </li>
            ))}
          </ul>
        </div>
      )}
    </Popover>
  );
}
