/** Gathers the questions that a view asks in one go, and asks them with one request. */
import type { QueryAnswer, QueryBody } from "./types";

/** Most questions of one request. */
export const BATCH_MAX = 40;

/** One question's outcome. */
export type Outcome = QueryAnswer | { failed: unknown };

/** Asks several questions; an outcome for each, in their order. */
export type Ask = (bodies: QueryBody[], signal: AbortSignal) => Promise<Outcome[]>;

interface Waiting {
  body: QueryBody;
  signal: AbortSignal | undefined;
  resolve: (answer: QueryAnswer) => void;
  reject: (cause: unknown) => void;
}

/** Questions put without a pause between them, as by the parts of a page that are put on it together, travel together. */
export class Batch {
  private waiting: Waiting[] = [];

  constructor(private readonly ask: Ask) {}

  /** Puts a question; a signal takes it back. */
  put(body: QueryBody, signal?: AbortSignal): Promise<QueryAnswer> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ body, signal, resolve, reject });
      if (this.waiting.length === 1) queueMicrotask(() => this.send());
    });
  }

  private send(): void {
    const wanted = this.waiting.filter((one) => !one.signal?.aborted);
    for (const one of this.waiting) if (one.signal?.aborted) one.reject(one.signal.reason);
    this.waiting = [];
    for (let at = 0; at < wanted.length; at += BATCH_MAX) this.request(wanted.slice(at, at + BATCH_MAX));
  }

  private request(group: Waiting[]): void {
    // The request goes on while anybody still wants one of its answers.
    const abort = new AbortController();
    let wanting = group.length;
    for (const { signal } of group) {
      signal?.addEventListener("abort", () => {
        wanting -= 1;
        if (wanting === 0) abort.abort();
      });
    }
    this.ask(
      group.map((one) => one.body),
      abort.signal,
    ).then(
      (outcomes) => {
        group.forEach((one, index) => {
          const outcome = outcomes[index];
          if (outcome && !("failed" in outcome)) one.resolve(outcome);
          else one.reject(outcome?.failed ?? new Error("The server left out an answer."));
        });
      },
      (cause: unknown) => {
        for (const one of group) one.reject(cause);
      },
    );
  }
}
