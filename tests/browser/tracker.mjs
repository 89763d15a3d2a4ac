// The tracker in a real browser against the real collector: one case per line of "Tracker behaviour", and what our own script does beyond it.
import './behaviour.mjs';
import './extensions.mjs';
import './queue.mjs';
import './site-script.mjs';
import './serving.mjs';
import { main } from './harness.mjs';

await main({ collector: process.env.COLLECTOR, site: process.env.SITE });
