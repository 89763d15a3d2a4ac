/** Extensions `outbound-links`, `file-downloads`, `tagged-events` and `form-submissions`, in any combination, after the core. */
import { automatic, FILE_TYPES } from '../automatic';

const list = (name: string): string[] | undefined => S.getAttribute(name)?.split(/[ ,]+/);

automatic(T, settings.fileDownloads ? (list('file-types') || FILE_TYPES).concat(list('add-file-types') || []) : undefined);
