/** Extension `404`, after the core. */
import { notFound } from '../not-found';

notFound(T);
