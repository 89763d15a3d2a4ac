/** Says what went wrong in a part of the page, and offers another try. */
import { type ApiError, isTemporary } from "../api/client";

export function Problem({ error, onRetry }: { error: ApiError; onRetry: () => void }) {
  return (
    <div class="problem-box" role="alert">
      <p>{isTemporary(error) ? "These figures could not be loaded." : "These figures cannot be shown."}</p>
      <p class="problem-text">{error.message}</p>
      <button type="button" class="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}
