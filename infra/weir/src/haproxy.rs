//! `weir haproxy-config`: the configuration in `infra/haproxy` with the edges that run now.

use crate::output;
use crate::session::Session;
use anyhow::Result;

/// The configuration for the usual ports.
const TEMPLATE: &str = include_str!("../../haproxy/haproxy.cfg");
/// Where it listens unless told otherwise.
const BIND: &str = "\"${WEIR_BIND-*:8090}\"";

/// Prints the configuration.
pub(crate) fn print(session: &Session, bind: Option<&str>) -> Result<()> {
    output::line(render(&session.run.collectors(), bind).trim_end())
}

fn render(collectors: &[String], bind: Option<&str>) -> String {
    let mut text = format!("# Written by `weir haproxy-config` for the {} edges that ran then.\n", collectors.len());
    let (_, rest) = TEMPLATE.split_once("\ndefaults\n").unwrap_or(("", TEMPLATE));
    text.push_str("\ndefaults\n");
    for line in rest.lines().filter(|line| !line.trim_start().starts_with("server edge-")) {
        text.push_str(&bind.map_or_else(|| line.to_owned(), |bind| line.replace(BIND, bind)));
        text.push('\n');
    }
    let server = |(index, url): (usize, &String)| format!("    server edge-{index} {}\n", url.trim_start_matches("http://"));
    text.extend(collectors.iter().enumerate().map(server));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_edges_that_run() {
        let collectors = ["http://127.0.0.1:15001".to_owned(), "http://127.0.0.1:15002".to_owned()];
        let text = render(&collectors, Some("*:443"));
        let servers: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("server ")).map(str::trim).collect();
        assert_eq!(servers, ["server edge-0 127.0.0.1:15001", "server edge-1 127.0.0.1:15002"]);
        assert!(text.contains("    bind *:443\n") && !text.contains("WEIR_"), "{text}");
        assert!(render(&collectors, None).contains(&format!("    bind {BIND}\n")));
        for section in ["\ndefaults\n", "\nfrontend collector\n", "\nbackend edges\n"] {
            assert_eq!(text.matches(section).count(), 1, "{section}");
        }
    }
}
