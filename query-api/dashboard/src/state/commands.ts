/** What a reader can do by name: in the palette, in the menu, by a key. */
export interface Command {
  label: string;
  /** Where it belongs in the palette. */
  group: string;
  /** The key that does it, as shown. */
  key?: string;
  /** Further words it is found by. */
  words?: string;
  run: () => void;
}

/** The commands that hold all words of a text; those that begin with it come first. */
export function findCommands(commands: Command[], text: string): Command[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return commands;
  const found = commands.filter((command) => {
    const said = `${command.group} ${command.label} ${command.words ?? ""}`.toLowerCase();
    return words.every((word) => said.includes(word));
  });
  const begins = (command: Command) => command.label.toLowerCase().startsWith(words[0] ?? "");
  return [...found.filter(begins), ...found.filter((command) => !begins(command))];
}
