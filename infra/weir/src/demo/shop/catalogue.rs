//! What the shop sells and writes.

use super::chance::Chance;

/// Something to buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    pub(super) category: &'static str,
    /// Cents.
    pub(super) price: u32,
}

const fn product(path: &'static str, name: &'static str, category: &'static str, price: u32) -> Product {
    Product { path, name, category, price }
}

const PRODUCTS: [(u32, Product); 14] = [
    (26, product("/tea/ceremonial-matcha", "Ceremonial Matcha", "Green", 2_890)),
    (18, product("/tea/first-flush-darjeeling", "First Flush Darjeeling", "Black", 1_650)),
    (16, product("/tea/earl-grey-blue", "Earl Grey Blue", "Black", 1_190)),
    (14, product("/tea/jasmine-pearls", "Jasmine Pearls", "Green", 1_980)),
    (12, product("/tea/tie-guan-yin", "Tie Guan Yin", "Oolong", 2_240)),
    (12, product("/tea/mountain-herbs", "Mountain Herbs", "Herbal", 990)),
    (11, product("/tea/rooibos-orange", "Rooibos Orange", "Herbal", 890)),
    (10, product("/tea/gyokuro", "Gyokuro", "Green", 3_450)),
    (8, product("/tea/aged-pu-erh", "Aged Pu-erh", "Dark", 4_200)),
    (8, product("/tea/assam-breakfast", "Assam Breakfast", "Black", 1_090)),
    (9, product("/ware/cast-iron-kettle", "Cast Iron Kettle", "Ware", 8_900)),
    (8, product("/ware/glass-teapot", "Glass Teapot", "Ware", 3_900)),
    (9, product("/ware/matcha-whisk", "Matcha Whisk", "Ware", 2_100)),
    (12, product("/gifts/tasting-set", "Tasting Set", "Gifts", 3_490)),
];

const COLLECTIONS: [(u32, &str); 5] = [
    (5, "/collections/green"),
    (4, "/collections/black"),
    (2, "/collections/herbal"),
    (2, "/collections/ware"),
    (3, "/collections/gifts"),
];
const ARTICLES: [(u32, &str); 5] = [
    (6, "/journal/how-to-whisk-matcha"),
    (4, "/journal/water-temperature"),
    (3, "/journal/a-visit-to-darjeeling"),
    (2, "/journal/storing-tea"),
    (2, "/journal/cold-brew"),
];
const OTHERS: [(u32, &str); 4] = [(4, "/shipping"), (3, "/about"), (2, "/contact"), (2, "/search")];
/// Addresses that are linked somewhere and lead nowhere.
const MISSING: [(u32, &str); 3] = [(5, "/tea/winter-blend-2024"), (3, "/journal/brewing-giude"), (2, "/sale")];

/// A page's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Home,
    Collection,
    Product(Product),
    Article,
    Other,
    Missing,
}

/// Any page, by its kind.
pub(super) fn page(kind: Kind, chance: &mut Chance) -> &'static str {
    let path = match kind {
        Kind::Home => return "/",
        Kind::Product(product) => return product.path,
        Kind::Collection => chance.pick(&COLLECTIONS),
        Kind::Article => chance.pick(&ARTICLES),
        Kind::Other => chance.pick(&OTHERS),
        Kind::Missing => chance.pick(&MISSING),
    };
    path.copied().unwrap_or("/")
}

/// Any product.
pub(super) fn any_product(chance: &mut Chance) -> Product {
    chance.pick(&PRODUCTS).copied().unwrap_or(product("/", "", "", 0))
}
