/** The script with extensions in its name: settings are attributes of its element. */
import type { EventOptions } from '../api';
import { go, start } from '../start';
import { track } from '../track';

E = S.dataset.api || (new URL('/api/event', S.src) as unknown as string);
if ('hash' in S.dataset) H = 1;
start();
window.plausible?.q?.map((call) => track(...(call as [string, EventOptions?])));
window.plausible = T = track;
go();
