//! Lets the crate compile before the dashboard was built: an empty folder, and a page that says how to fill it.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let dist = Path::new("dashboard/dist");
    println!("cargo::rerun-if-changed=dashboard/dist");
    std::fs::create_dir_all(dist)?;
    if !dist.join("index.html").exists() {
        println!(
            "cargo::warning=the dashboard is not built (query-api/dashboard/dist is empty): `make build` builds it; the query API works without"
        );
    }
    Ok(())
}
