/** Loads the web vitals when the page itself is there. */

/** `beside` is the address of this script; the file is the one that was built with it, or nothing. */
export const loadVitals = (beside: string): void => {
  const load = (): void => {
    const script = document.createElement('script');
    script.src = beside.replace(/[^/]*$/, VITALS);
    script.integrity = VITALS_INTEGRITY;
    script.crossOrigin = 'anonymous';
    document.head.append(script);
  };
  if (document.readyState == 'complete') load();
  else addEventListener('load', load);
};
