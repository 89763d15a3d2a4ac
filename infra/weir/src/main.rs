//! The `weir` command: runs, feeds and inspects a Weir.

mod accounts;
mod backlog;
mod backup;
mod cli;
mod cluster;
mod consent;
mod countries;
mod delete;
mod demo;
mod doctor;
mod draining;
mod edge;
mod edges;
mod event_lines;
mod flush;
mod haproxy;
mod home;
mod human;
mod import;
mod installation;
mod keys;
mod nats_config;
mod object_store;
mod operator;
mod output;
mod plaintext;
mod ports;
mod priority;
mod process;
mod provision;
mod publish;
mod regions;
mod rejected;
mod remote;
mod replay;
mod rules;
mod secrets;
mod service;
mod session;
mod shields;
mod site_settings;
mod sites;
mod status;
mod supervisor;
mod surroundings;
mod table;
mod tail;
mod up;
mod workerd_config;

/// Folding allocates a dozen texts an event: with the system's allocator it takes a third more processor time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use clap::Parser as _;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let output = Output::new(arguments.json);
    if let cli::Command::Reaper { lock } = &arguments.command {
        return match supervisor::reaper::run(lock) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => output.failure(&error, ExitCode::FAILURE),
        };
    }
    let on_error = arguments.command.status_on_error();
    if let Some(nice) = arguments.command.background_nice() {
        priority::lower(nice);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.failure(&error.into(), on_error),
    };
    let result = runtime.block_on(cli::run(arguments.command, &output));
    // A thread that still waits for input or a slow disk must not hold the end of the program up.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    match result {
        Ok(status) => status,
        Err(error) => output.failure(&error, on_error),
    }
}
