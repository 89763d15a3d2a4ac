//! Every route × every kind of caller × every state of the named site, judged by a table of rules that knows nothing of the code under test.

use crate::fixture::{Fixture, Layout, NOW_MS};
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use tower::ServiceExt;
use weir_reader::buckets::Entry;

/// Names of sites in requests, and which site that is: number and account. Sites of account `acc_a` are the own ones of most callers.
const NAMES: [(&str, Option<(u32, &str)>); 11] = [
    ("own.example", Some((11, "acc_a"))),
    ("WWW.Own.Example", Some((11, "acc_a"))),
    ("second.example/shop", Some((12, "acc_a"))),
    ("new.example", Some((13, "acc_a"))),
    ("old.example", Some((13, "acc_a"))),
    ("other.example", Some((21, "acc_b"))),
    ("operator.example", Some((31, ""))),
    ("gone.example", None),
    ("never.example", None),
    ("xn--mller-kva.example", None),
    ("a b > *", None),
];

/// What a route demands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Demand {
    Figures,
    Shadow,
    OwnSegment,
    SiteSegment,
    /// As [`Read`], of those who read the figures.
    Setup,
    Read,
    Change,
}
use Demand::{Change, Figures, OwnSegment, Read, Setup, Shadow, SiteSegment};

/// Method, address and body (`@` = the site's name), and what it demands.
const ROUTES: [(&str, &str, &str, Demand); 34] = [
    ("POST", "/api/v2/query", r#"{"site_id":"@","metrics":["visitors"],"date_range":"day"}"#, Figures),
    ("POST", "/api/v2/query?rev=shadow", r#"{"site_id":"@","metrics":["visitors"],"date_range":"day"}"#, Shadow),
    ("GET", "/api/v1/stats/realtime/visitors?site_id=@", "", Figures),
    ("GET", "/api/v1/stats/aggregate?site_id=@&metrics=visitors", "", Figures),
    ("GET", "/api/v1/stats/timeseries?site_id=@", "", Figures),
    ("GET", "/api/v1/stats/breakdown?site_id=@&property=visit:source", "", Figures),
    ("GET", "/api/ledger?site_id=@", "", Figures),
    ("GET", "/api/segments?site_id=@", "", Figures),
    (
        "POST",
        "/api/segments",
        r#"{"site_id":"@","name":"n","type":"personal","filters":[["is","event:page",["/"]]]}"#,
        OwnSegment,
    ),
    ("POST", "/api/segments", r#"{"site_id":"@","name":"n","type":"site","filters":[["is","event:page",["/"]]]}"#, SiteSegment),
    ("DELETE", "/api/segments/1?site_id=@", "", SiteSegment),
    ("GET", "/api/annotations?site_id=@", "", Figures),
    ("POST", "/api/annotations", r#"{"site_id":"@","at":"2026-11-20","note":"n","type":"personal"}"#, OwnSegment),
    ("POST", "/api/annotations", r#"{"site_id":"@","at":"2026-11-20","note":"n","type":"site"}"#, SiteSegment),
    ("DELETE", "/api/annotations/2?site_id=@", "", SiteSegment),
    ("GET", "/api/sites/@/settings", "", Setup),
    ("PATCH", "/api/sites/@/settings", r#"{"timezone":"Europe/Berlin"}"#, SiteSegment),
    ("GET", "/api/sites/@/keys", "", SiteSegment),
    ("POST", "/api/sites/@/keys", r#"{"scopes":["sites:read"]}"#, SiteSegment),
    ("DELETE", "/api/sites/@/keys/nobody", "", SiteSegment),
    ("GET", "/api/v1/sites/@", "", Read),
    ("PUT", "/api/v1/sites/@", r#"{"domain":"elsewhere.example"}"#, Change),
    ("PUT", "/api/v1/sites/@", r#"{"tracker_script_configuration":{"file_downloads":false}}"#, Change),
    ("DELETE", "/api/v1/sites/@", "", Change),
    ("GET", "/api/v1/sites/goals?site_id=@", "", Read),
    ("PUT", "/api/v1/sites/goals", r#"{"site_id":"@","goal_type":"event","event_name":"Signup"}"#, Change),
    ("DELETE", "/api/v1/sites/goals/7", r#"{"site_id":"@"}"#, Change),
    ("GET", "/api/v1/sites/custom-props?site_id=@", "", Read),
    ("PUT", "/api/v1/sites/custom-props", r#"{"site_id":"@","property":"plan"}"#, Change),
    ("DELETE", "/api/v1/sites/custom-props/a/b?site_id=@", "", Change),
    ("GET", "/api/v1/sites/shared-links?site_id=@", "", Change),
    ("PUT", "/api/v1/sites/shared-links", r#"{"site_id":"@","name":"WordPress"}"#, Change),
    ("DELETE", "/api/v1/sites/shared-links/9?site_id=@", "", Change),
    ("GET", "/api/v1/sites/guests?site_id=@", "", Read),
];

/// How a request ends, as far as authorisation is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    NoKey,
    WrongKey,
    WrongSitesKey,
    NoSite,
    Forbidden,
    Passed,
}

/// Whether a credential is one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Proof {
    Good,
    Missing,
    Bad,
}

/// Who asks. What he is permitted is written down as the operator would say it.
#[derive(Clone, Debug)]
struct Caller {
    name: String,
    headers: HeaderMap,
    proof: Proof,
    scopes: Vec<&'static str>,
    sites: Vec<u32>,
    account: Option<&'static str>,
    link: Option<u32>,
}

impl Caller {
    /// An admin key is one that is bound to nothing; bound ones permit nothing by that scope.
    fn is_admin(&self) -> bool {
        self.scopes.contains(&"admin") && self.sites.is_empty() && self.account.is_none()
    }

    fn has(&self, demand: Demand) -> bool {
        let enough: &[&str] = match demand {
            Figures | Shadow | OwnSegment => &["stats:read", "sites:provision"],
            Read | Setup => &["stats:read", "sites:read", "sites:provision"],
            Change | SiteSegment => &["sites:provision"],
        };
        self.is_admin() || self.scopes.iter().any(|scope| enough.contains(scope))
    }

    fn reaches(&self, (id, account): (u32, &str)) -> bool {
        match self.account {
            _ if self.is_admin() => true,
            Some(own) => own == account && (self.sites.is_empty() || self.sites.contains(&id)),
            None => self.sites.contains(&id),
        }
    }

    fn reads(&self, site: (u32, &str)) -> bool {
        self.link == Some(site.0) || (self.has(Figures) && self.reaches(site))
    }

    /// The rule.
    fn end(&self, demand: Demand, site: Option<(u32, &str)>) -> End {
        let is_sites_api = matches!(demand, Read | Change);
        match self.proof {
            Proof::Missing => return End::NoKey,
            Proof::Bad => return if is_sites_api { End::WrongSitesKey } else { End::WrongKey },
            Proof::Good => {}
        }
        if is_sites_api {
            return match site {
                _ if !self.has(demand) => End::WrongSitesKey,
                Some(site) if self.reaches(site) => End::Passed,
                _ => End::NoSite,
            };
        }
        let Some(site) = site.filter(|site| self.reads(*site)) else { return End::WrongKey };
        let may = match demand {
            Figures => return End::Passed,
            Shadow => return if self.is_admin() { End::Passed } else { End::WrongKey },
            _ => self.has(demand) && self.reaches(site),
        };
        if may { End::Passed } else { End::Forbidden }
    }

    /// How adding a site to a team ends.
    fn adding(&self, team: Option<&str>) -> End {
        match self.proof {
            Proof::Missing => return End::NoKey,
            Proof::Bad => return End::WrongSitesKey,
            Proof::Good => {}
        }
        let is_account_wide = self.account.is_some() && self.sites.is_empty();
        if !self.has(Change) || !(self.is_admin() || is_account_wide) {
            return End::WrongSitesKey;
        }
        let is_there = |id: &str| ["acc_a", "acc_b"].contains(&id);
        let may = match team.or(self.account) {
            None => self.is_admin(),
            Some(id) => is_there(id) && (self.is_admin() || self.account == Some(id)),
        };
        if may { End::Passed } else { End::Forbidden }
    }
}

fn entry(key: &str, value: Option<Value>, revision: u64) -> Entry {
    Entry { key: key.to_owned(), value: value.map(|value| Bytes::from(value.to_string())), revision }
}

fn hash(key: &str) -> String {
    Sha256::digest(key).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Two accounts, their sites, one of the operator's, one renamed, one deleted.
fn world() -> Fixture {
    let fixture = Fixture::new(&Layout::sealed(&[]));
    let directory = &fixture.service.directory;
    for id in ["acc_a", "acc_b"] {
        directory.take_account(&entry(&format!("account.{id}"), Some(json!({"id": id, "name": id, "created_ms": 1})), 1));
    }
    // The fixture's own sites would be read by admins only, as `operator.example` is.
    for (id, key, domain, account) in [
        (11, "own.example", "own.example", Some("acc_a")),
        (12, "second.example/shop", "second.example/shop", Some("acc_a")),
        (13, "new.example", "new.example", Some("acc_a")),
        (13, "old.example", "new.example", Some("acc_a")),
        (21, "other.example", "other.example", Some("acc_b")),
        (31, "operator.example", "operator.example", None),
        (41, "gone.example", "gone.example", Some("acc_a")),
    ] {
        let mut site = json!({"id": id, "domain": domain, "timezone": "UTC", "partition": 0, "created_ms": 1});
        if let Some(account) = account {
            site["account"] = json!(account);
        }
        directory.take_site(&entry(&format!("site.{key}"), Some(site), 5));
        let definitions = json!({
            "segments": [{"id": 1, "name": "s", "type": "site", "owner": "", "filters": [["is", "event:page", ["/"]]]}],
            "annotations": [{"id": 2, "at": "2026-11-20", "note": "n", "type": "site", "owner": ""}],
            "goals": [{"id": 7, "display_name": "Buy", "goal_type": "event", "event_name": "Buy"}],
            "shared_links": [{"id": 9, "name": "l", "slug": format!("slug{id}")}],
        });
        directory.take_definitions(&entry(&format!("site.{id}"), Some(definitions), 5));
    }
    directory.take_site(&entry("site.gone.example", None, 6));
    fixture
}

fn put_key(fixture: &Fixture, key: &str, record: &Value) {
    fixture.service.directory.take_key(&entry(&hash(key), Some(record.clone()), 1));
}

fn bearer(key: &str) -> HeaderMap {
    HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap())])
}

/// Signs in as a browser does; the cookie it gets.
async fn cookie(fixture: &Fixture, path: &str, body: Value) -> String {
    let request = Request::post(path).body(Body::from(body.to_string())).unwrap();
    let response = fixture.router.clone().oneshot(request).await.unwrap();
    assert!(response.status().is_success(), "{path}");
    let set = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{set}");
    set.split(';').next().unwrap().to_owned()
}

fn cookies(all: &[&str]) -> HeaderMap {
    HeaderMap::from_iter([(header::COOKIE, all.join("; ").parse().unwrap())])
}

/// Keys with all kinds of scopes, bound in all kinds of ways.
fn keys(fixture: &Fixture) -> Vec<Caller> {
    let scope_sets: [&[&'static str]; 9] = [
        &["stats:read"],
        &["sites:read"],
        &["sites:provision"],
        &["events:write"],
        &["admin"],
        &["events:write", "stats:read"],
        &["sites:read", "events:write"],
        &["admin", "sites:provision"],
        &["teleport"],
    ];
    let bounds: [(&[u32], Option<&'static str>); 8] = [
        (&[11], None),
        (&[11, 21], None),
        (&[], Some("acc_a")),
        (&[11, 13], Some("acc_a")),
        (&[21], Some("acc_a")),
        (&[41], None),
        (&[], None),
        (&[], Some("acc_none")),
    ];
    let mut callers = Vec::new();
    for scopes in scope_sets {
        for (sites, account) in bounds {
            let name = format!("{scopes:?} {sites:?} {account:?}");
            let mut record = json!({"id": name, "scopes": scopes, "sites": sites, "created_ms": 1});
            if let Some(account) = account {
                record["account"] = json!(account);
            }
            let key = format!("key{}", callers.len());
            put_key(fixture, &key, &record);
            let (scopes, sites) = (scopes.to_vec(), sites.to_vec());
            callers.push(Caller { name, headers: bearer(&key), proof: Proof::Good, scopes, sites, account, link: None });
        }
    }
    // As the first version wrote them.
    for (scope, site_id) in [("stats:read", 11), ("events:write", 11), ("admin", 0), ("admin", 11), ("stats:read", 0)] {
        let (name, key) = (format!("first version {scope} {site_id}"), format!("key{}", callers.len()));
        put_key(fixture, &key, &json!({"id": name, "site_id": site_id, "domain": "x", "scope": scope, "created_ms": 1}));
        let sites = if site_id == 0 { Vec::new() } else { vec![site_id] };
        let scopes = vec![scope];
        callers.push(Caller { name, headers: bearer(&key), proof: Proof::Good, scopes, sites, account: None, link: None });
    }
    callers
}

/// Sessions and what is none.
async fn others(fixture: &Fixture) -> Vec<Caller> {
    let directory = &fixture.service.directory;
    let nobody = |name: &str, proof: Proof, headers: HeaderMap| Caller {
        name: name.to_owned(),
        headers,
        proof,
        scopes: Vec::new(),
        sites: Vec::new(),
        account: None,
        link: None,
    };
    put_key(fixture, "signer", &json!({"id": "signer", "scopes": ["sites:provision"], "account": "acc_a", "created_ms": 1}));
    put_key(fixture, "reader", &json!({"id": "reader", "scopes": ["stats:read"], "sites": [11], "created_ms": 1}));
    put_key(fixture, "revoked", &json!({"id": "revoked", "scopes": ["stats:read"], "sites": [11], "created_ms": 1}));
    put_key(fixture, "chief", &json!({"id": "chief", "scopes": ["admin"], "created_ms": 1}));
    let sign_in = async |key: &str| cookie(fixture, "/api/session", json!({"key": key})).await;
    let (signer, reader, chief) = (sign_in("signer").await, sign_in("reader").await, sign_in("chief").await);
    let of_revoked = sign_in("revoked").await;
    directory.take_key(&entry(&hash("revoked"), None, 2));
    let open = async |slug: &str| cookie(fixture, &format!("/api/share/{slug}/session"), json!({})).await;
    let (own_link, other_link, removed_link) = (open("slug11").await, open("slug21").await, open("slug31").await);
    let gone = Request::post("/api/share/slug41/session").body(Body::from("{}")).unwrap();
    assert_eq!(fixture.send(gone).await.0, 404, "a deleted site's link opens nothing");
    directory.take_definitions(&entry("site.31", Some(json!({"segments": []})), 9));
    let expired = directory.session_of_key("reader", NOW_MS - 1_000).await.unwrap();
    let forged = format!("{}0", reader.trim_end_matches(|letter: char| letter != '.'));
    let from_elsewhere = |headers: HeaderMap| {
        let mut headers = headers;
        headers.insert("sec-fetch-site", "cross-site".parse().unwrap());
        headers
    };
    let mut basic = cookies(&[&reader]);
    basic.insert(header::AUTHORIZATION, "Basic cmVhZGVyOg==".parse().unwrap());
    let good = |name: &str, all: &[&str]| nobody(name, Proof::Good, cookies(all));
    vec![
        Caller { scopes: vec!["sites:provision"], account: Some("acc_a"), ..good("session of an account", &[&signer]) },
        Caller { scopes: vec!["stats:read"], sites: vec![11], ..good("session of a reader", &[&reader]) },
        Caller { scopes: vec!["admin"], ..good("session of an admin", &[&chief]) },
        Caller { link: Some(11), ..good("link", &[&own_link]) },
        Caller { link: Some(21), ..good("other's link", &[&other_link]) },
        Caller {
            scopes: vec!["stats:read"],
            sites: vec![11],
            link: Some(21),
            ..good("reader with a link", &[&reader, &other_link])
        },
        Caller { link: Some(11), ..good("link, and a session that is over", &[&format!("weir_session={expired}"), &own_link]) },
        nobody("no key", Proof::Missing, HeaderMap::new()),
        nobody("basic, with a cookie", Proof::Missing, basic),
        nobody("unknown key", Proof::Bad, bearer("nobody")),
        nobody("hash of a key", Proof::Bad, bearer(&hash("reader"))),
        nobody("revoked key", Proof::Bad, bearer("revoked")),
        nobody("endless key", Proof::Bad, bearer(&"x".repeat(300))),
        nobody("session of a revoked key", Proof::Bad, cookies(&[&of_revoked])),
        nobody("session that is over", Proof::Bad, cookies(&[&format!("weir_session={expired}")])),
        nobody("forged session", Proof::Bad, cookies(&[&forged])),
        nobody("key as a cookie", Proof::Bad, cookies(&["weir_session=reader"])),
        nobody("link that was removed", Proof::Bad, cookies(&[&removed_link])),
        nobody("session on another's page", Proof::Bad, from_elsewhere(cookies(&[&signer]))),
        nobody("link on another's page", Proof::Bad, from_elsewhere(cookies(&[&own_link]))),
    ]
}

/// A whole answer: two of them are the same for the caller if they are equal.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn end(&self) -> End {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        match (self.status, body["code"].as_str().unwrap_or_default()) {
            (401, "missing_api_key") => End::NoKey,
            (401, "invalid_api_key") => End::WrongKey,
            (401, "invalid_sites_api_key") => End::WrongSitesKey,
            (404, "site_not_found") => End::NoSite,
            (403, _) => End::Forbidden,
            (401, code) => panic!("401 {code}"),
            _ => End::Passed,
        }
    }
}

async fn ask(fixture: &Fixture, caller: &Caller, method: &str, path: &str, body: String) -> Answer {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    request.headers_mut().unwrap().extend(caller.headers.clone());
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let response = fixture.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn escape(name: &str) -> String {
    name.replace('/', "%2F").replace(' ', "%20").replace('>', "%3E").replace('*', "%2A")
}

#[tokio::test]
async fn every_pair_ends_as_the_table_says() {
    let fixture = world();
    let mut callers = keys(&fixture);
    callers.extend(others(&fixture).await);
    let mut ends: BTreeMap<End, usize> = BTreeMap::new();
    for caller in &callers {
        for (method, path, body, demand) in ROUTES {
            let mut refused: Option<(&str, Answer)> = None;
            for (name, site) in NAMES {
                let answer = ask(&fixture, caller, method, &path.replace('@', &escape(name)), body.replace('@', name)).await;
                let expected = caller.end(demand, site);
                assert_eq!(answer.end(), expected, "{} asks {method} {path} {body} of {name}: {answer:?}", caller.name);
                *ends.entry(expected).or_default() += 1;
                // Nobody learns why: foreign, deleted, unknown and impossible sites have the very same answer.
                if !matches!(expected, End::Passed | End::Forbidden) {
                    match &refused {
                        Some((first, known)) => assert_eq!(*known, answer, "{} sees {first} and {name} differ", caller.name),
                        None => refused = Some((name, answer)),
                    }
                }
            }
        }
    }
    let pairs: usize = ends.values().sum();
    assert!(pairs >= 10_000 && ends.len() == 6, "{pairs} pairs: {ends:?}");
    assert!(ends.values().all(|count| *count > 50), "{ends:?}");
}

#[tokio::test]
async fn adding_sites_and_what_belongs_to_no_site() {
    let fixture = world();
    let mut callers = keys(&fixture);
    callers.extend(others(&fixture).await);
    let mut passed = 0;
    for caller in &callers {
        for team in [None, Some("acc_a"), Some("acc_b"), Some("acc_none")] {
            let mut body = json!({"domain": "fresh.example"});
            if let Some(team) = team {
                body["team_id"] = json!(team);
            }
            let answer = ask(&fixture, caller, "POST", "/api/v1/sites", body.to_string()).await;
            assert_eq!(answer.end(), caller.adding(team), "{} adds to {team:?}: {answer:?}", caller.name);
            passed += usize::from(answer.end() == End::Passed);
        }
        // Operators' own.
        for path in [
            "/api/status",
            "/api/ledger?site_id=(unknown)",
            "/api/operator/overview",
            "/api/operator/rejected",
            "/api/operator/replay",
        ] {
            let expected = match caller.proof {
                Proof::Missing => End::NoKey,
                Proof::Good if caller.is_admin() => End::Passed,
                _ => End::WrongKey,
            };
            assert_eq!(ask(&fixture, caller, "GET", path, String::new()).await.end(), expected, "{} {path}", caller.name);
        }
    }
    assert!(passed > 5, "{passed}");
}

/// Nobody sees, or could revoke, a key that reaches further than he does, and nobody sees an admin's.
#[tokio::test]
async fn keys_of_a_site_are_shown_to_those_who_reach_as_far() {
    let fixture = world();
    let callers = keys(&fixture);
    let site = (11, "acc_a");
    let owners = callers.iter().filter(|caller| !caller.is_admin() && caller.reaches(site));
    let owners: Vec<&Caller> = owners.collect();
    let mut seen = 0;
    for caller in callers.iter().filter(|caller| caller.has(SiteSegment) && caller.reads(site)) {
        let answer = ask(&fixture, caller, "GET", "/api/sites/own.example/keys", String::new()).await;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let mut listed: Vec<&str> = body["keys"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap()).collect();
        listed.sort_unstable();
        let is_covered = |key: &&&Caller| match key.account {
            Some(account) if key.sites.is_empty() => {
                caller.is_admin() || (caller.account == Some(account) && caller.sites.is_empty())
            }
            _ => NAMES
                .iter()
                .filter_map(|(_, site)| *site)
                .filter(|(id, _)| key.sites.contains(id))
                .all(|site| caller.reaches(site)),
        };
        let mut expected: Vec<&str> = owners.iter().filter(is_covered).map(|key| key.name.as_str()).collect();
        expected.sort_unstable();
        assert_eq!(listed, expected, "{}", caller.name);
        seen += listed.len();
        let scopes: Vec<&str> = body["grantable"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
        assert!(!scopes.contains(&"admin") && scopes.contains(&"stats:read"), "{scopes:?}");
        // What is not his he cannot give.
        if !scopes.contains(&"events:write") {
            let body = r#"{"scopes":["stats:read","events:write"]}"#.to_owned();
            assert_eq!(ask(&fixture, caller, "POST", "/api/sites/own.example/keys", body).await.end(), End::Forbidden);
        }
        for wrong in [r#"{"scopes":["admin"]}"#, r#"{"scopes":[]}"#, r#"{"scopes":["teleport"]}"#, "{}"] {
            let answer = ask(&fixture, caller, "POST", "/api/sites/own.example/keys", wrong.to_owned()).await;
            assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
        }
        // A key that is not listed is not there.
        let answer = ask(&fixture, caller, "DELETE", "/api/sites/own.example/keys/chief", String::new()).await;
        assert!(answer.status == 404 && answer.body.contains("key_not_found"), "{}", answer.body);
    }
    assert!(seen > 50, "{seen}");
}

#[tokio::test]
async fn lists_hold_what_is_reached_and_nothing_else() {
    let fixture = world();
    let mut callers = keys(&fixture);
    callers.extend(others(&fixture).await);
    let sites = |wanted: &dyn Fn((u32, &str)) -> bool| -> Vec<&str> {
        let primary = NAMES.iter().filter(|(name, _)| !["WWW.Own.Example", "old.example"].contains(name));
        let mut names: Vec<&str> = primary.filter(|(_, site)| site.is_some_and(wanted)).map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    };
    for caller in callers.iter().filter(|caller| caller.proof == Proof::Good) {
        let list = |answer: Answer, pick: fn(&Value) -> Vec<Value>| {
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            let fixture_s = ["a.example", "b.example", "away.example"];
            let names = pick(&body).iter().map(|site| site["domain"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
            let mut names: Vec<String> = names.into_iter().filter(|name| !fixture_s.contains(&name.as_str())).collect();
            names.sort_unstable();
            names
        };
        let readable = ask(&fixture, caller, "GET", "/api/sites", String::new()).await;
        let readable = list(readable, |body| body.as_array().unwrap().clone());
        assert_eq!(readable, sites(&|site| caller.reads(site)), "{}", caller.name);
        let listed = ask(&fixture, caller, "GET", "/api/v1/sites?limit=1000", String::new()).await;
        if caller.has(Read) {
            let listed = list(listed, |body| body["sites"].as_array().unwrap().clone());
            assert_eq!(listed, sites(&|site| caller.reaches(site)), "{}", caller.name);
            let teams = ask(&fixture, caller, "GET", "/api/v1/sites/teams", String::new()).await;
            let teams: Value = serde_json::from_str(&teams.body).unwrap();
            let known = |id: &&str| caller.is_admin() || caller.account == Some(*id);
            let mut ids: Vec<&str> = teams["teams"].as_array().unwrap().iter().map(|team| team["id"].as_str().unwrap()).collect();
            ids.sort_unstable();
            assert_eq!(ids, ["acc_a", "acc_b"].into_iter().filter(known).collect::<Vec<_>>(), "{}", caller.name);
        } else {
            assert_eq!(listed.end(), End::WrongSitesKey, "{}", caller.name);
        }
    }
}

#[tokio::test]
async fn signing_in_and_out() {
    let fixture = world();
    put_key(&fixture, "reader", &json!({"id": "reader", "scopes": ["stats:read"], "sites": [11], "created_ms": 1}));
    let send = |method: Method, path: &str, body: &str| {
        let request = Request::builder().method(method).uri(path).header("x-forwarded-proto", "https");
        fixture.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap())
    };
    for (path, body, status) in [
        ("/api/session", r#"{"key":"nobody"}"#, 401),
        ("/api/session", r#"{"key":""}"#, 401),
        ("/api/session", "{}", 401),
        ("/api/session", "reader", 400),
        ("/api/share/unknown/session", "{}", 404),
        ("/api/share/slug11/session", "[]", 400),
    ] {
        let response = send(Method::POST, path, body).await.unwrap();
        assert_eq!(response.status(), status, "{path} {body}");
        assert!(!response.headers().contains_key(header::SET_COOKIE), "{path} {body}");
    }
    let response = send(Method::POST, "/api/session", r#"{"key":" reader "}"#).await.unwrap();
    let set = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with("weir_session=1.k.") && set.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{set}");
    assert!(!set.contains("reader"), "the key does not stand in it");
    let response = send(Method::DELETE, "/api/session", "").await.unwrap();
    let ended: Vec<&str> = response.headers().get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
    assert!(ended.len() == 2 && ended.iter().all(|set| set.contains("=; Path=/; Max-Age=0;")), "{ended:?}");
}
