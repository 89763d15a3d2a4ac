/** The element by which another page shows a shared link. */

/** `url` is the link's own address. */
export function embedCode(url: string, domain: string): string {
  const address = `${url}${url.includes("?") ? "&" : "?"}embed=true`;
  return `<iframe src="${attribute(address)}" title="Figures of ${attribute(domain)}" width="100%" height="1600" loading="lazy" style="border:0"></iframe>`;
}

function attribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
