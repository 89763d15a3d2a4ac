/** Says why something is not there, and offers another try. */
import { type ApiError, isTemporary } from "../api/client";

export function Failed({ error, onRetry }: { error: ApiError; onRetry: () => void }) {
  return (
    <div class="failed" role="alert">
      <p class="failed-what">{isTemporary(error) ? "This could not be loaded." : "This cannot be shown."}</p>
      <p>{error.message}</p>
      <button type="button" class="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}
