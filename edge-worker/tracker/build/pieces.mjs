/** Which pieces a script has: the rule that src/script.rs follows too, and dist/pieces.rs is made for. */

/** Extensions that ask for automatic events: bits of the number of their piece. */
export const AUTOMATIC = ['outbound-links', 'file-downloads', 'tagged-events', 'form-submissions'];

/** All extensions by the names that stand in a script's file name. */
export const EXTENSIONS = [
  ...AUTOMATIC,
  'exclusions',
  'pageview-props',
  '404',
  'web-vitals',
  'hash',
  'local',
  'manual',
  'compat',
  'revenue',
];

/** The script's element; with `compat` it is looked for when the browser does not say, as for scripts put into the page by others. */
export const ELEMENT = 'S=document.currentScript';
export const ELEMENT_COMPAT = `${ELEMENT}||document.getElementById("plausible")||document.querySelector("script[data-domain]")`;

/** Around the pieces: their shared variables. */
export const FRAME_START = '{let T,E,X,P,';
export const FRAME_END = '}';

/** Puts a script together. `pieces` has the minified pieces by name, `extensions` what is asked for. */
export const assemble = (pieces, extensions) => {
  const has = (name) => extensions.includes(name);
  const automatic = AUTOMATIC.reduce((number, name, bit) => number + (has(name) ? 1 << bit : 0), 0);
  return [
    FRAME_START,
    has('hash') ? 'H=1,' : 'H,',
    has('local') ? 'L=1,' : 'L,',
    has('manual') ? 'A,' : 'A=1,',
    has('compat') ? ELEMENT_COMPAT : ELEMENT,
    ';',
    has('exclusions') ? pieces.exclusions : '',
    has('pageview-props') ? pieces['pageview-props'] : '',
    pieces.core,
    automatic ? pieces[`automatic-${automatic}`] : '',
    has('404') ? pieces['404'] : '',
    has('web-vitals') ? pieces['web-vitals'] : '',
    FRAME_END,
  ].join('');
};
