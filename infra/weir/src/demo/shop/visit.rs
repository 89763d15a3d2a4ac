//! One visit to the shop: the pages in their order, and what happens on them.

use super::catalogue::{Kind, Product, any_product, page};
use super::chance::Chance;
use super::people::{Person, Way};
use serde_json::{Value, json};
use std::sync::Arc;

/// Domain of the shop.
pub(in super::super) const DOMAIN: &str = "tea.example";
/// Most pages of a visit.
const PAGES_MAX: u64 = 14;

/// Something that a visitor does, as the script on the page would send it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Happening {
    /// Unix milliseconds.
    pub(super) at_ms: u64,
    pub(super) person: Arc<Person>,
    /// As `POST /api/event` takes it.
    pub(super) event: Value,
}

/// What is different at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mood {
    /// The simpler checkout is there.
    pub(super) has_new_checkout: bool,
}

/// A visit that begins now.
struct Walk<'a> {
    chance: &'a mut Chance,
    person: Arc<Person>,
    now_ms: u64,
    referrer: String,
    query: String,
    happened: Vec<Happening>,
}

/// Everything that somebody does who comes on this way.
pub(super) fn visit(chance: &mut Chance, start_ms: u64, way: Way, mood: Mood) -> Vec<Happening> {
    let person = Arc::new(Person::any(chance));
    let (referrer, query) =
        (way.referrer.to_owned(), if way.query.is_empty() { String::new() } else { format!("?{}", way.query) });
    let mut walk = Walk { chance, person, now_ms: start_ms, referrer, query, happened: Vec::new() };
    walk.through(way, mood);
    walk.happened
}

impl Walk<'_> {
    fn through(&mut self, way: Way, mood: Mood) {
        let mut kind = self.landing(way);
        let phone = if self.person.is_on_phone() { 0.8 } else { 1.0 };
        let zeal = f64::from(way.zeal) / 10.0 * phone;
        let mut basket: Vec<Product> = Vec::new();
        let stays = if kind == Kind::Article { 0.42 } else { 0.62 };
        for number in 1..=PAGES_MAX {
            self.look_at(kind, number == 1);
            if let Kind::Product(product) = kind
                && self.chance.happens(0.11 * zeal)
            {
                self.add_to_basket(product);
                basket.push(product);
                if self.chance.happens(0.6) {
                    return self.check_out(&basket, mood);
                }
            }
            if !self.chance.happens(if number == 1 { stays } else { 0.72 }) {
                return;
            }
            kind = self.next(kind);
        }
    }

    fn landing(&mut self, way: Way) -> Kind {
        let product = any_product(self.chance);
        let kinds = if way.query.contains("matcha") {
            [(70, Kind::Product(product)), (20, Kind::Collection), (10, Kind::Home), (0, Kind::Article), (0, Kind::Missing)]
        } else if way.referrer.is_empty() {
            [(50, Kind::Home), (20, Kind::Collection), (18, Kind::Product(product)), (10, Kind::Article), (2, Kind::Missing)]
        } else {
            [(22, Kind::Home), (14, Kind::Collection), (30, Kind::Product(product)), (31, Kind::Article), (3, Kind::Missing)]
        };
        self.chance.pick(&kinds).copied().unwrap_or(Kind::Home)
    }

    fn next(&mut self, kind: Kind) -> Kind {
        let product = Kind::Product(any_product(self.chance));
        let kinds = match kind {
            Kind::Home => [(45, Kind::Collection), (34, product), (12, Kind::Article), (9, Kind::Other)],
            Kind::Collection => [(72, product), (16, Kind::Collection), (4, Kind::Article), (8, Kind::Home)],
            Kind::Product(_) => [(46, product), (30, Kind::Collection), (12, Kind::Other), (12, Kind::Home)],
            Kind::Article => [(34, Kind::Article), (30, product), (18, Kind::Collection), (18, Kind::Home)],
            Kind::Other | Kind::Missing => [(40, Kind::Home), (30, product), (20, Kind::Collection), (10, Kind::Article)],
        };
        self.chance.pick(&kinds).copied().unwrap_or(Kind::Home)
    }

    /// A view of a page, what is done there, and how long and how far it was looked at.
    fn look_at(&mut self, kind: Kind, is_first: bool) {
        let path = page(kind, self.chance);
        self.view(path);
        let (median_ms, deepest) = match kind {
            Kind::Article => (52_000, 100),
            Kind::Product(_) => (24_000, 92),
            Kind::Home | Kind::Collection => (13_000, 85),
            Kind::Other | Kind::Missing => (9_000, 70),
        };
        let engaged_ms = self.chance.span_ms(median_ms);
        match kind {
            Kind::Missing => self.event("404", path, &json!({"path": path}), None),
            Kind::Article if self.chance.happens(0.07) => {
                let url = if self.chance.happens(0.6) {
                    "https://www.youtube.com/watch?v=whisk"
                } else {
                    "https://en.wikipedia.org/wiki/Matcha"
                };
                self.event("Outbound Link: Click", path, &json!({"url": url}), None);
            }
            Kind::Article if self.chance.happens(0.05) => {
                self.event("File Download", path, &json!({"url": format!("https://{DOMAIN}/files/brewing-guide.pdf")}), None);
            }
            Kind::Home | Kind::Article if self.chance.happens(0.035) => {
                let place = if kind == Kind::Home { "footer" } else { "article" };
                self.event("Newsletter Signup", path, &json!({"place": place}), None);
            }
            Kind::Other if path == "/contact" && self.chance.happens(0.3) => {
                self.event("Form: Submission", path, &json!({"path": path}), None);
            }
            Kind::Other if path == "/search" => {
                let words = [(4, "matcha"), (3, "gift"), (2, "decaf"), (2, "kettle"), (1, "chai")];
                let (query, results) = (self.chance.pick(&words).copied().unwrap_or_default(), self.chance.between(0, 9));
                self.event("Search", path, &json!({"query": query, "results": results.to_string()}), None);
            }
            Kind::Product(_) if self.chance.happens(0.02) => {
                self.event("Outbound Link: Click", path, &json!({"url": "https://www.instagram.com/"}), None);
            }
            _ => {}
        }
        let depth = self.chance.between(25, deepest + 1);
        self.leave(path, engaged_ms, depth);
        if is_first && self.chance.happens(0.3) {
            self.vitals(path);
        }
    }

    fn add_to_basket(&mut self, product: Product) {
        let props = json!({"product": product.name, "category": product.category, "price": money(product.price)});
        self.event("Add to Cart", product.path, &props, None);
    }

    /// From the basket on: some give up at each step.
    fn check_out(&mut self, basket: &[Product], mood: Mood) {
        self.step("/cart", 12_000);
        if !self.chance.happens(0.78) {
            return;
        }
        self.event("Begin Checkout", "/checkout", &json!({"items": basket.len().to_string()}), None);
        self.step("/checkout", 48_000);
        if !self.chance.happens(if mood.has_new_checkout { 0.82 } else { 0.58 }) {
            return;
        }
        self.step("/thanks", 7_000);
        let coupon =
            self.chance.pick(&[(68, "(none)"), (18, "WELCOME10"), (9, "AUTUMN15"), (5, "FRIENDS")]).copied().unwrap_or_default();
        let payment =
            self.chance.pick(&[(40, "PayPal"), (34, "Card"), (18, "Apple Pay"), (8, "Invoice")]).copied().unwrap_or_default();
        let shipping = self.chance.pick(&[(80, "Standard"), (20, "Express")]).copied().unwrap_or_default();
        for product in basket {
            let quantity = if self.chance.happens(0.25) { 2 } else { 1 };
            let props = json!({"product": product.name, "category": product.category, "coupon": coupon, "payment": payment, "shipping": shipping});
            self.event("Purchase", "/thanks", &props, Some(product.price * quantity));
        }
    }

    fn step(&mut self, path: &str, median_ms: u64) {
        self.view(path);
        let engaged_ms = self.chance.span_ms(median_ms);
        let depth = self.chance.between(60, 101);
        self.leave(path, engaged_ms, depth);
    }

    fn view(&mut self, path: &str) {
        let url = format!("https://{DOMAIN}{path}{}", self.query);
        let event = json!({"n": "pageview", "d": DOMAIN, "u": url, "r": self.referrer});
        self.happen(event);
        self.query.clear();
        self.referrer = format!("https://{DOMAIN}{path}");
    }

    fn event(&mut self, name: &str, path: &str, props: &Value, cents: Option<u32>) {
        self.now_ms += 400;
        let mut event = json!({"n": name, "d": DOMAIN, "u": format!("https://{DOMAIN}{path}"), "p": props});
        if let (Some(cents), Some(fields)) = (cents, event.as_object_mut()) {
            fields.insert("$".to_owned(), json!({"currency": "EUR", "amount": money(cents)}));
        }
        self.happen(event);
    }

    fn leave(&mut self, path: &str, engaged_ms: u64, depth: u64) {
        // Who looks elsewhere in between is not engaged for so long.
        self.now_ms += engaged_ms + self.chance.between(200, 6_000);
        self.happen(
            json!({"n": "engagement", "d": DOMAIN, "u": format!("https://{DOMAIN}{path}"), "e": engaged_ms, "sd": depth}),
        );
        self.now_ms += self.chance.between(50, 900);
    }

    fn vitals(&mut self, path: &str) {
        let slow = if self.person.is_on_phone() { 1.5 } else { 1.0 };
        let mut around =
            |median: f64| (median * slow * (self.chance.unit() + self.chance.unit() + self.chance.unit() - 1.5).exp()).round();
        let (lcp, fcp, ttfb, inp, cls) =
            (around(1_700.0), around(1_050.0), around(320.0), around(110.0), around(400.0) / 10_000.0);
        let props = json!({"LCP": lcp.to_string(), "FCP": fcp.to_string(), "TTFB": ttfb.to_string(), "INP": inp.to_string(), "CLS": cls.to_string()});
        self.happen(json!({"n": "Web Vitals", "d": DOMAIN, "u": format!("https://{DOMAIN}{path}"), "p": props, "i": false}));
    }

    fn happen(&mut self, event: Value) {
        self.happened.push(Happening { at_ms: self.now_ms, person: Arc::clone(&self.person), event });
    }
}

/// Cents as an amount.
fn money(cents: u32) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn visits_have_an_order_and_everything_that_the_panels_show() {
        let mut chance = Chance::seeded(1);
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..3_000 {
            let way = Way::any(&mut chance);
            let happened = visit(&mut chance, 1_000, way, Mood { has_new_checkout: true });
            assert_eq!((happened[0].at_ms, happened[0].event["n"].as_str()), (1_000, Some("pageview")));
            assert_eq!(happened[0].event["r"], way.referrer);
            assert!(happened.windows(2).all(|pair| pair[0].at_ms <= pair[1].at_ms));
            for one in &happened {
                *names.entry(one.event["n"].as_str().unwrap().to_owned()).or_default() += 1;
                assert_eq!(one.event.get("$").is_some(), one.event["n"] == "Purchase", "{}", one.event);
            }
        }
        for name in [
            "404",
            "Add to Cart",
            "Begin Checkout",
            "File Download",
            "Form: Submission",
            "Newsletter Signup",
            "Outbound Link: Click",
            "Purchase",
            "Search",
            "Web Vitals",
        ] {
            assert!(names.get(name).is_some_and(|count| *count >= 5), "{name}: {names:?}");
        }
        assert_eq!(names["pageview"], names["engagement"]);
        assert!(names["Purchase"] * 100 < names["pageview"] * 5, "{names:?}");
    }

    #[test]
    fn amounts() {
        assert_eq!([money(5), money(890), money(12_000)], ["0.05", "8.90", "120.00"]);
    }
}
