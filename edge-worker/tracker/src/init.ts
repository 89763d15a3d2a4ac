/** Settings given by the page: `init`, of the per-site script and of the npm package. */
import type { EventOptions, Settings } from './api';
import { automatic, FILE_TYPES } from './automatic';
import { go, start } from './start';
import { track } from './track';

/** Begins to count. `queue` are calls that came too early. */
export const begin = (given: Partial<Settings>, queue: Iterable<unknown>[] = []): void => {
  for (const [name, value] of Object.entries(given))
    if (value !== undefined) (settings as unknown as Record<string, unknown>)[name] = value;
  start();
  for (const call of queue) track(...(call as [string, EventOptions?]));
  go();
  const { fileDownloads } = settings;
  automatic(track, (typeof fileDownloads == 'object' && fileDownloads.fileExtensions) || FILE_TYPES);
};
