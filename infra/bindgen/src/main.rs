//! Stand-in for the `wasm-bindgen` command: the same library behind a few of the same flags, so that no tool is downloaded.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

const USAGE: &str =
    "usage: weir-bindgen --target module|bundler|nodejs|web --out-dir DIR [--out-name NAME] [--typescript] [--keep-debug] [--remove-names]
                    [--experimental-reset-state-function] [--force-enable-abort-handler] INPUT.wasm";

fn main() -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen.typescript(false);
    let (mut out_dir, mut input, mut target) = (None, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n{USAGE}"));
        match argument.as_str() {
            "--out-dir" => out_dir = Some(PathBuf::from(value()?)),
            "--out-name" => {
                bindgen.out_name(&value()?);
            }
            "--target" => target = Some(value()?),
            "--typescript" => {
                bindgen.typescript(true);
            }
            "--keep-debug" => {
                bindgen.keep_debug(true);
            }
            // Names of functions are a sixth of a small module; without them a trap tells less.
            "--remove-names" => {
                bindgen.remove_name_section(true).remove_producers_section(true);
            }
            "--experimental-reset-state-function" => {
                bindgen.reset_state_function(true);
            }
            "--force-enable-abort-handler" => {
                bindgen.force_enable_abort_handler(true);
            }
            flag if flag.starts_with('-') => bail!("{flag} is not known\n{USAGE}"),
            path if input.is_none() => input = Some(PathBuf::from(path)),
            path => bail!("{path} is one input too many\n{USAGE}"),
        }
    }
    match target.as_deref() {
        Some("module") => bindgen.module(true)?,
        Some("bundler") => bindgen.bundler(true)?,
        Some("nodejs") => bindgen.nodejs(true)?,
        Some("web") => bindgen.web(true)?,
        Some(other) => bail!("{other} is no target that this program knows\n{USAGE}"),
        None => bail!("--target is missing\n{USAGE}"),
    };
    let input = input.with_context(|| format!("the input is missing\n{USAGE}"))?;
    let out_dir = out_dir.with_context(|| format!("--out-dir is missing\n{USAGE}"))?;
    bindgen
        .input_path(&input)
        .generate(&out_dir)
        .with_context(|| format!("{} could not be bound into {}", input.display(), out_dir.display()))
}
