//! Every command that a runbook tells somebody to type at night is one that this program understands.

use super::Arguments;
use clap::Parser as _;
use clap::error::ErrorKind;
use std::path::{Path, PathBuf};

fn pages() -> Vec<PathBuf> {
    let infra = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let runbooks = std::fs::read_dir(infra.join("runbooks")).unwrap().map(|entry| entry.unwrap().path());
    let further = ["README.md", "capacity.md", "nats/README.md"].map(|name| infra.join(name));
    let mut pages: Vec<PathBuf> =
        runbooks.chain(further).filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    pages.sort();
    pages
}

/// The words of a command, up to a comment or a pipe.
fn words(command: &str) -> Vec<String> {
    let end = [" #", " | ", " >", " &"].iter().filter_map(|mark| command.find(mark)).min().unwrap_or(command.len());
    let bare = command.get(..end).unwrap_or(command);
    bare.split_whitespace().map(|word| word.trim_matches(['\'', '"']).to_owned()).collect()
}

/// Commands in blocks of code, which must be whole, and between backticks, which may leave something out.
fn commands(page: &str) -> (Vec<String>, Vec<String>) {
    let (mut whole, mut named, mut in_block) = (Vec::new(), Vec::new(), false);
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        if in_block {
            let command = line.trim_start().trim_start_matches("$ ");
            // A path may stand before the program's name.
            let program = command.split_whitespace().next().unwrap_or_default();
            if program == "weir" || program.ends_with("/weir") {
                whole.push(command.to_owned());
            }
        } else {
            named.extend(line.split('`').skip(1).step_by(2).filter(|code| code.starts_with("weir ")).map(str::to_owned));
        }
    }
    (whole, named)
}

#[test]
fn commands_of_the_runbooks_are_understood() {
    let mut found = 0;
    for path in pages() {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (whole, named) = commands(&text);
        found += whole.len();
        for command in whole {
            if let Err(error) = Arguments::try_parse_from(words(&command)) {
                panic!("{}: {command}\n{error}", path.display());
            }
        }
        for command in named.iter().filter(|command| !command.contains(['…', '|'])) {
            let Err(error) = Arguments::try_parse_from(words(command)) else { continue };
            let is_partial = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    | ErrorKind::DisplayHelp
            );
            assert!(is_partial, "{}: `{command}`\n{error}", path.display());
        }
    }
    assert!(found > 30, "only {found} commands were found");
}

#[test]
fn an_unknown_command_is_found() {
    let (whole, named) = commands("a `weir status` b\n```\n$ weir no-such # c\nx/weir tail\nls\n```\n`weird`");
    assert_eq!(whole, ["weir no-such # c", "x/weir tail"]);
    assert_eq!(named, ["weir status"]);
    assert_eq!(words("weir tail --from-seq 1 | head"), ["weir", "tail", "--from-seq", "1"]);
    assert!(Arguments::try_parse_from(words(&whole[0])).is_err());
}
