/** The lazily loaded web vitals. */
import type { EventOptions } from '../api';
import { vitals } from '../vitals';

vitals((name: string, options?: EventOptions) => window.plausible?.(name, options));
