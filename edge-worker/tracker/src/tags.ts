/** Elements that name the event they stand for: `class="plausible-event-name=Sign+Up plausible-event-plan=pro"`. */
import type { Props, Track } from './api';

/** How many elements are looked at: the one clicked and three around it. */
const LOOKED_AT = 4;

/** The element with a tag, at or around this one. */
export const tagOf = (element: Element | null): Element | undefined => {
  for (let left = LOOKED_AT; element && left--; element = element.parentElement) {
    if (/plausible-event-name(=|--)/.test(`${element.classList}`)) return element;
  }
};

/** Counts the event that the element names. */
export const tagged = (track: Track, element: Element, url?: string): void => {
  const props: Props = url ? { url } : {};
  const revenue: Props = {};
  let name = '';
  for (const word of element.classList) {
    const [, kind, key, , value] = word.match(/^plausible-(event|revenue)-(.+?)(=|--)(.+)/) || [];
    if (kind == 'revenue') revenue[key] = value;
    else if (/^name$/i.test(key)) name = value.replace(/\+/g, ' ');
    else if (key) props[key] = value.replace(/\+/g, ' ');
  }
  if (name) track(name, { props, revenue: revenue as never });
};
