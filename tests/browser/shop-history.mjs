// Prints the history of a small shop as lines for `weir import --format ndjson`: weeks with a rhythm, sources, campaigns, orders, vitals.
// The same days (END) always give the same lines.

const DAYS = Number(process.env.DAYS ?? 45);
const SCALE = Number(process.env.SCALE ?? 1);
const END = process.env.END ?? new Date().toISOString().slice(0, 10);
const HOST = process.env.SITE ?? 'shop.example';

/** Repeatable numbers below 1 (mulberry32). */
let seed = 20_261;
const random = () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
};
/** One of `[value, weight]` pairs. */
const pick = (pairs) => {
  let at = random() * pairs.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [value, weight] of pairs) {
    at -= weight;
    if (at < 0) return value;
  }
  return pairs[0][0];
};

const PRODUCTS = [['linen-shirt', 59, 30], ['wool-scarf', 39, 24], ['canvas-tote', 24, 20], ['enamel-mug', 18, 16], ['desk-lamp', 89, 8], ['walnut-tray', 64, 6]];
const COUNTRIES = [['DE', 34], ['AT', 9], ['CH', 8], ['US', 14], ['GB', 9], ['FR', 7], ['NL', 5], ['SE', 3], ['PL', 3], ['ES', 3], ['IT', 3], ['JP', 2], ['BR', 2], ['AU', 2], ['IN', 2], ['CA', 2]];
const SOURCES = [
  [{}, 30],
  [{ referrer: 'https://www.google.com/' }, 30],
  [{ referrer: 'https://www.instagram.com/' }, 9],
  [{ referrer: 'https://duckduckgo.com/' }, 5],
  [{ referrer: 'https://www.pinterest.com/pin/4711' }, 4],
  [{ referrer: 'https://news.ycombinator.com/item' }, 2],
  [{ referrer: 'https://slowhome.example/best-linen-shirts' }, 5],
  [{ query: 'utm_source=newsletter&utm_medium=email&utm_campaign=autumn-letter' }, 8],
  [{ query: 'utm_source=google&utm_medium=cpc&utm_campaign=linen&utm_content=blue&utm_term=linen+shirt', referrer: 'https://www.google.com/' }, 6],
  [{ query: 'utm_source=instagram&utm_medium=paid_social&utm_campaign=gift-guide', referrer: 'https://www.instagram.com/' }, 4],
  [{ referrer: 'https://chatgpt.com/' }, 3],
];
const AGENTS = [
  ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1', 32],
  ['Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36', 22],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36', 22],
  ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15', 12],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0', 7],
  ['Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1', 4],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0', 3],
];
/** Visits by hour of the day and day of the week (Sunday first). */
const HOURS = [2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 12, 11, 10, 10, 10, 11, 13, 15, 16, 14, 9, 4];
const WEEK = [1.25, 0.95, 0.9, 0.9, 0.95, 0.95, 1.2];
const LANDINGS = [['/', 38], ['/collections/linen', 18], ['/collections/home', 10], ['product', 28], ['/journal/caring-for-linen', 9], ['/journal/gift-guide', 7]];

const lines = [];
const DAY_MS = 86_400_000;

function visit(start, number) {
  const source = pick(SOURCES);
  const who = { user_agent: pick(AGENTS), country: pick(COUNTRIES), ip: `198.51.${(number >> 8) & 255}.${number & 255}` };
  let at = start;
  const send = (name, path, more = {}, wait = 0) => {
    at += wait;
    lines.push({ timestamp: new Date(at).toISOString(), name, url: `https://${HOST}${path}`, ...who, ...more });
  };
  const read = (path) => send('engagement', path, { sd: Math.min(100, Math.round(20 + random() * 85)), e: Math.round(3_000 + random() * 60_000) }, Math.round(3_000 + random() * 55_000));
  const slug = () => pick(PRODUCTS.map(([name, , weight]) => [name, weight]));
  const landing = pick(LANDINGS);
  let path = landing === 'product' ? `/products/${slug()}` : landing;
  const view = (to) => {
    path = to;
    const product = to.startsWith('/products/') ? { product: to.slice(10) } : {};
    send('pageview', to, { props: { theme: number % 3 ? 'light' : 'dark', ...product } }, 800);
  };
  const query = source.query ? `?${source.query}` : '';
  send('pageview', `${path}${query}`, { ...(source.referrer ? { referrer: source.referrer } : {}), props: path.startsWith('/products/') ? { product: path.slice(10) } : {} });
  read(path);
  if (number % 4 === 0) {
    const slow = who.user_agent.includes('Mobile') ? 1.5 : 1;
    const near = (middle) => String(Math.round(middle * slow * (0.5 + random()) / 10) * 10);
    send('Web Vitals', path, { interactive: false, props: { LCP: near(1_900), FCP: near(1_100), INP: near(150), TTFB: near(380), CLS: (Math.round(random() * 14) / 100).toFixed(4) } });
  }
  if (number % 37 === 0) {
    send('pageview', '/collections/summer-sale', {}, 500);
    send('404', '/collections/summer-sale', { interactive: false, props: { path: '/collections/summer-sale' } });
  }
  if (random() < 0.42) return;
  for (let views = 1 + Math.floor(random() * 3); views > 0; views -= 1) {
    view(pick([[`/products/${slug()}`, 60], ['/collections/linen', 14], ['/collections/home', 12], ['/journal/caring-for-linen', 6], ['/about', 5]]));
    read(path);
  }
  if (number % 11 === 0) send('Outbound Link: Click', path, { props: { url: pick([['https://www.instagram.com/slow.shop', 5], ['https://maps.example/our-store', 3], ['https://care.example/linen', 2]]) } }, 900);
  if (random() < 0.06) send('Newsletter', path, { props: { place: pick([['footer', 3], ['popup', 2]]) } }, 2_000);
  const product = path.startsWith('/products/') ? path.slice(10) : null;
  if (!product || random() > 0.34) return;
  send('Add to cart', path, { props: { product } }, 4_000);
  view('/cart');
  if (random() < 0.45) return;
  view('/checkout');
  if (random() < 0.35) return;
  const price = PRODUCTS.find(([name]) => name === product)[1];
  const amount = (price * pick([[1, 7], [2, 2], [3, 1]])).toFixed(2);
  const coupon = pick([[null, 7], ['AUTUMN10', 2], ['WELCOME', 1]]);
  view('/thank-you');
  send('Purchase', '/thank-you', { revenue: { currency: 'EUR', amount }, props: { product, ...(coupon ? { coupon } : {}) } }, 500);
}

const end = Date.parse(`${END}T00:00:00Z`);
let number = 0;
for (let day = DAYS; day >= 1; day -= 1) {
  const start = end - day * DAY_MS;
  const growth = 0.75 + (0.5 * (DAYS - day)) / DAYS;
  const visits = Math.round(190 * SCALE * growth * WEEK[new Date(start).getUTCDay()] * (0.92 + random() * 0.16));
  for (let count = 0; count < visits; count += 1) {
    const hour = pick(HOURS.map((weight, index) => [index, weight]));
    visit(start + hour * 3_600_000 + Math.floor(random() * 3_500_000), (number += 1));
  }
}
lines.sort((one, other) => one.timestamp.localeCompare(other.timestamp));
process.stdout.write(`${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
