/** What is counted without being asked, as the settings say. */
import type { Track } from './api';
import { clicks } from './clicks';
import { forms } from './forms';

/** Files that count as downloads, when the site names none. */
export const FILE_TYPES: string[] =
  'pdf,xlsx,docx,txt,rtf,csv,exe,key,pps,ppt,pptx,7z,pkg,rar,gz,zip,avi,mov,mp4,mpeg,wmv,midi,mp3,wav,wma,dmg'.split(',');

export const automatic = (track: Track, files?: string[]): void => {
  if (settings.outboundLinks || settings.fileDownloads || settings.taggedEvents) clicks(track, files);
  if (settings.formSubmissions || settings.taggedEvents) forms(track);
};
