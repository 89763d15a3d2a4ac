/** Pages that are not counted: `data-include` and `data-exclude` are patterns, with commas; `*` is any part of a path, `**` any number of parts. */

/** Whether a list of patterns names the page. */
export const names = (patterns: string, page: string): boolean =>
  patterns.split(',').some((pattern) => {
    const escaped = pattern.trim().replace(/[.+?^${}()|[\]\\]/g, '\\$&');
    return RegExp(`^${escaped.replace(/\*+/g, (stars) => (stars[1] ? '.*' : '[^/]*'))}/?$`).test(page);
  });

/** Why the page is not counted, if it is not. */
export const excluded = (include: string | undefined, exclude: string | undefined, page: string): string | false =>
  (((include && !names(include, page)) || (exclude && names(exclude, page))) as boolean) && 'exclusion';
