/** The lazily loaded web vitals. */
import type { EventOptions } from '../api';
import { webVitals } from '../vitals';

webVitals((name: string, options?: EventOptions) => window.plausible?.(name, options));
