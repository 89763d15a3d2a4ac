/** Extension `exclusions`, before the core. */
import { excluded } from '../exclusions';

X = (name) => name == 'pageview' && excluded(S.dataset.include, S.dataset.exclude, location.pathname + (H ? location.hash : ''));
