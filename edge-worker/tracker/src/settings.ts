/** The settings where they are known only when the page runs. The build puts this in the place of the global `settings`. */
import type { Settings } from './api';

const defaults: Settings & { taggedEvents: boolean } = {
  domain: '',
  endpoint: '',
  autoCapturePageviews: true,
  hashBasedRouting: false,
  outboundLinks: false,
  fileDownloads: false,
  formSubmissions: false,
  captureOnLocalhost: false,
  logging: true,
  bindToWindow: true,
  respectGpc: false,
  webVitals: false,
  taggedEvents: true,
};

export { defaults as settings };
