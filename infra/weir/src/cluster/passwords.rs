//! The cluster's secrets, one in a file, and what the servers are told of them: hashes.

use crate::home::Home;
use crate::nats_config::{ROLES, Role};
use crate::secrets::random_text;
use anyhow::{Context as _, Result, anyhow};
use std::collections::BTreeMap;
use weir_reader::control::keys;

/// Work of a hash, as a power of two. The lowest there is: nobody guesses 43 random characters, and every connection costs a server this much.
const COST: u32 = 4;

/// File of a secret that is not of NATS: what the edges' operator shows.
pub(crate) const EDGE_TOKEN: &str = "secrets/edge-token";
/// File of the API key that reads every site.
pub(crate) const ADMIN_KEY: &str = "secrets/admin-key";

/// File of a role's NATS password.
pub(crate) fn file(role: Role) -> String {
    format!("secrets/nats-{}", role.user())
}

/// Makes the secrets that are missing; the names of their files.
pub(crate) fn make_missing(folder: &Home) -> Result<Vec<String>> {
    let mut made = Vec::new();
    let mut add = |name: String, secret: fn() -> Result<String>| -> Result<()> {
        if !folder.path(&name).exists() {
            folder.replace(&name, format!("{}\n", secret()?).as_bytes())?;
            made.push(name);
        }
        Ok(())
    };
    for role in ROLES {
        add(file(role), random_text)?;
    }
    add(EDGE_TOKEN.to_owned(), random_text)?;
    add(ADMIN_KEY.to_owned(), || Ok(keys::new_key()?))?;
    Ok(made)
}

/// The hash of each role's password: the known one while it is that of the password, else a new one.
pub(crate) fn hashes(folder: &Home, known: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let hash = |role: Role| {
        let path = folder.path(&file(role));
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let password = text.trim_end();
        let known = known.get(role.user()).filter(|hash| bcrypt::verify(password, hash).unwrap_or(false));
        let hash = match known {
            Some(hash) => hash.clone(),
            None => bcrypt::hash_with_result(password, COST)
                .map_err(|error| anyhow!("cannot make the hash of {}: {error}", path.display()))?
                .format_for_version(bcrypt::Version::TwoA),
        };
        Ok((role.user().to_owned(), hash))
    };
    ROLES.into_iter().map(hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_and_its_hash_stay_until_its_file_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        home.create_folder("secrets").unwrap();
        assert_eq!(make_missing(&home).unwrap().len(), 6);
        let first = hashes(&home, &BTreeMap::new()).unwrap();
        assert!(make_missing(&home).unwrap().is_empty());
        assert_eq!(hashes(&home, &first).unwrap(), first);
        std::fs::remove_file(home.path("secrets/nats-query")).unwrap();
        assert_eq!(make_missing(&home).unwrap(), ["secrets/nats-query"]);
        let second = hashes(&home, &first).unwrap();
        assert_ne!(second["query"], first["query"]);
        assert_eq!(second["edge"], first["edge"]);
    }
}
