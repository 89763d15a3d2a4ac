/** Extension `web-vitals`, after the core. */
import { loadVitals } from '../load-vitals';

loadVitals(S.src);
