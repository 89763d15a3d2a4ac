/** Asks who reads, and what, while the page's own script is still on its way: src/api/early.ts takes the answers. */
(() => {
  try {
    // Whoever has not signed in, or comes by a shared link, would be refused.
    if (localStorage.getItem("weir.session") === null || location.pathname.startsWith("/share/")) return;
  } catch {
    return;
  }
  const ask = (path) => {
    const answer = fetch(path, { credentials: "same-origin", cache: "no-store" });
    // A failure is for whoever takes the answer.
    answer.catch(() => {});
    return answer;
  };
  globalThis.weirEarly = { "/api/session": ask("/api/session"), "/api/sites": ask("/api/sites") };
})();
