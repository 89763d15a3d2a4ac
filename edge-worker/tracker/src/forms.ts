/** Counts forms that are sent: by the tag they carry, or as `Form: Submission`. */
import type { Track } from './api';
import { tagged, tagOf } from './tags';

export const forms = (track: Track): void => {
  addEventListener(
    'submit',
    (event) => {
      const form = event.target as HTMLFormElement;
      const tag = settings.taggedEvents && tagOf(form);
      if (tag) tagged(track, tag);
      else if (settings.formSubmissions && (form.noValidate || form.checkValidity()))
        track('Form: Submission', { props: { path: location.pathname } });
    },
    true,
  );
};
