/** What can be done with a list, below it. */
interface Props {
  /** There are more rows than shown. */
  more: boolean;
  /** What the list is of, for screen readers. */
  subject: string;
  onDetails?: (() => void) | undefined;
  onApi?: (() => void) | undefined;
}

export function Tools({ more, subject, onDetails, onApi }: Props) {
  return (
    <div class="tools">
      {onDetails && (
        <button type="button" class="plain" onClick={onDetails}>
          {more ? "All rows" : "Details"}
          <span class="hidden"> of {subject}</span>
        </button>
      )}
      {onApi && (
        <button type="button" class="plain tools-api" onClick={onApi}>
          API<span class="hidden"> call behind {subject}</span>
        </button>
      )}
    </div>
  );
}
