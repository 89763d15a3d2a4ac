/** When nothing may be sent, and why. */
import { store } from './store';

/** Why nothing is sent from here; nothing = send. */
export const ignored = () =>
  !settings.captureOnLocalhost && /^(localhost|127(\.\d+){1,3}|\[::1?]|)$/.test(location.hostname) // Files have no host.
    ? 'localhost'
    : (window._phantom || window.__nightmare || navigator.webdriver || window.Cypress) && !window.__plausible
      ? 'bot'
      : navigator.globalPrivacyControl && (RUNTIME ? settings.respectGpc : 'respectGpc' in S.dataset)
        ? 'GPC'
        : store.plausible_ignore == 'true' && 'plausible_ignore';
