/** Counts clicks by themselves: on links to elsewhere, on files, on what carries a tag. */
import type { Track } from './api';
import { tagged, tagOf } from './tags';

/** Button of a mouse that opens a link in another tab. */
const MIDDLE = 1;

/** Calls `track` for what is clicked; `files` are extensions. */
export const clicks = (track: Track, files?: string[]): void => {
  const clicked = (event: MouseEvent): void => {
    if (event.type == 'auxclick' && event.button != MIDDLE) return;
    const target = event.target as Element;
    const link = target.closest<HTMLAnchorElement>('a[href]');
    const tag = settings.taggedEvents && tagOf(target);
    if (tag) {
      // A form is counted when it is sent.
      if (tag.tagName != 'FORM') tagged(track, tag, link?.href);
    } else if (link && !(settings.taggedEvents && tagOf(link))) {
      const url = `${link.href}`;
      if (settings.outboundLinks && link.host && link.host != location.host) track('Outbound Link: Click', { props: { url } });
      else if (settings.fileDownloads) {
        const file = url.split(/[?#]/)[0];
        if (files?.includes(file.split('.').pop() as string)) track('File Download', { props: { url: file } });
      }
    }
  };
  addEventListener('click', clicked);
  addEventListener('auxclick', clicked);
};
