/** Files of the rules, to be changed for a replay: nothing is in force before it is served. */
import { useState } from "preact/hooks";
import { Field } from "../parts/field";
import { Loaded } from "../parts/loaded";
import { useResource } from "../parts/use-resource";
import type { OperatorApi } from "./api";

/** Texts by file, as far as they were changed. */
export type Edited = Record<string, string>;

interface Props {
  api: OperatorApi;
  edited: Edited;
  onEdited: (edited: Edited) => void;
}

export function RulesEditor({ api, edited, onEdited }: Props) {
  const files = useResource("rules", (signal) => api.ruleFiles(signal));
  const [chosen, setChosen] = useState("channels.toml");
  return (
    <Loaded of={files} lines={3}>
      {(names) => {
        const file = names.includes(chosen) ? chosen : (names[0] ?? "");
        return (
          <div class="form">
            <Field id="rules-file" label="File">
              <select
                id="rules-file"
                class="input"
                value={file}
                onChange={(event) => setChosen(event.currentTarget.value)}
              >
                {names.map((name) => (
                  <option key={name} value={name}>
                    {name in edited ? `${name}, changed` : name}
                  </option>
                ))}
              </select>
            </Field>
            <Text key={file} api={api} file={file} edited={edited} onEdited={onEdited} />
          </div>
        );
      }}
    </Loaded>
  );
}

function Text({ api, file, edited, onEdited }: Props & { file: string }) {
  const text = useResource(file, (signal) => api.ruleText(file, signal));
  const change = (value: string, original: string) => {
    const { [file]: _before, ...others } = edited;
    onEdited(value === original ? others : { ...others, [file]: value });
  };
  return (
    <Loaded of={text} lines={8}>
      {(original) => (
        <Field
          id="rules-text"
          label={`Text of ${file}`}
          hint={file in edited ? "Changed for the replay that is planned here." : "As it is in force."}
        >
          <textarea
            id="rules-text"
            class="input rules-text"
            rows={18}
            spellcheck={false}
            autocapitalize="off"
            aria-describedby="rules-text-hint"
            value={edited[file] ?? original}
            onInput={(event) => change(event.currentTarget.value, original)}
          />
        </Field>
      )}
    </Loaded>
  );
}
